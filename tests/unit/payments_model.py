"""A payment in a few numbers: the reference that decide() is held against."""

from __future__ import annotations

from dataclasses import dataclass, field

AMOUNT_MAX = 10**12


@dataclass
class Part:
    """A capture, void, refund, reversal or increment of the reference."""

    kind: str
    amount: int
    final: bool = False
    by: str = "client"
    state: str = "submitted"

    @property
    def reserved(self) -> bool:
        """Whether its end is not known."""
        return self.state in ("requested", "submitted", "in_doubt", "needs_review")


@dataclass
class Model:
    """Written from 02 §8.1 and §8.2 in terms of money, not from the code."""

    state: str = "unknown"
    amount: int = 0
    manual: bool = False
    late: str = "refund"
    held: int = 0
    """What the bank approved."""
    cancel: bool = False
    over: bool = False
    """Whether the hold's time has come."""
    parts: dict[str, Part] = field(default_factory=dict)

    def total(self, kind: str, *states: str) -> int:
        """The sum of the parts of a kind in these states."""
        return sum(p.amount for p in self.parts.values() if p.kind == kind and p.state in states)

    def pending(self, kind: str) -> int:
        """The sum that is reserved."""
        return sum(p.amount for p in self.parts.values() if p.kind == kind and p.reserved)

    @property
    def captured(self) -> int:
        """What was taken; with an automatic capture all that was approved."""
        if not self.manual and self.held:
            return self.held
        return self.total("capture", "succeeded")

    @property
    def refunded(self) -> int:
        """What was given back."""
        return self.total("refund", "succeeded")

    @property
    def free(self) -> int:
        """What is held and nobody has asked for."""
        asked = self.pending("capture") + self.pending("void") + self.total("void", "succeeded")
        return self.held - self.captured - asked

    @property
    def last(self) -> bool:
        """Whether the last capture was asked for and has not failed."""
        finals = [p for p in self.parts.values() if p.kind == "capture" and p.final]
        return any(p.reserved or p.state == "succeeded" for p in finals)

    @property
    def capturable(self) -> int:
        """What a new capture may take."""
        open_ = self.state in ("authorized", "partially_captured") and not self.over
        return self.free if open_ and not self.last else 0

    @property
    def refundable(self) -> int:
        """What a new refund may give back."""
        return self.captured - self.refunded - self.pending("refund")

    def approved(self, amount: int) -> str | None:
        """The bank approved: who made a reversal necessary, None when it stands."""
        if self.state in ("failed", "canceled") and not (
            self.state == "failed" and self.late == "accept" and amount >= self.amount
        ):
            return "late_approval"
        if self.cancel and self.state in ("processing", "in_doubt"):
            return "cancel"
        if amount < self.amount:
            self.state = "failed"
            return "partial_approval"
        self.held = amount
        self.state = "authorized" if self.manual else "captured"
        return None

    def settle(self, by_expiry: bool = False) -> None:
        """What the end of a part means for the payment."""
        if self.state not in ("authorized", "partially_captured"):
            return
        if self.captured:
            self.state = "partially_captured"
        under_way = self.pending("capture") + self.pending("void")
        if under_way or (self.free and not self.last):
            return
        if self.captured:
            self.state = "captured"
        else:
            self.state = "expired" if by_expiry else "canceled"
