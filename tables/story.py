"""A decision in the making: each step changes the payment and tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from headgate.streams import ids
from headgate.streams.clock import iso
from headgate.streams.commands import AcquirerRequest, Command, Timer
from headgate.streams.facts import Data, Fact, FactType, PaymentSnapshot, Request
from headgate.streams.frozen import but
from headgate.tables.children import Child
from headgate.tables.payment import Payment

What: TypeAlias = Command | Child
"""What happened to a payment: a command, or the end of one of its children."""


class Refusal(NamedTuple):
    """Why a command changed nothing: a stable code (01 §7.5) and a sentence for people."""

    code: str
    detail: str
    param: str | None = None


class Refused(Exception):
    """The amounts do not allow it; nothing has changed."""

    def __init__(self, code: str, detail: str, param: str | None = None) -> None:
        super().__init__(detail)
        self.refusal = Refusal(code, detail, param)


class Change(NamedTuple):
    """What one fact tells: changed members of the payment, and a child in its new state."""

    members: Mapping[str, Any] = {}
    child: Child | None = None


Changes: TypeAlias = Mapping[FactType, Change]
"""The change behind each fact that a transition tells; a fact without one only tells."""


class Outgoing(NamedTuple):
    """A call to a bank or a reminder, at once or not before a time."""

    request: AcquirerRequest | Timer
    not_before_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a command led to. A refusal changes nothing and says why."""

    payment: Payment | None
    facts: tuple[Fact, ...] = ()
    requests: tuple[Outgoing, ...] = ()
    refusal: Refusal | None = None
    children: tuple[Child, ...] = ()
    """The children that were made or moved, each in its last state."""
    result: bytes | None = None
    """The JSON that answers the client; None where no client asks."""


@dataclass(slots=True)
class Story:
    """Facts, children and requests in the making."""

    payment: Payment
    at_ms: int
    cause: str
    """The command that all of this comes from; ids are derived from it."""
    shown: PaymentSnapshot | None = None
    request: Request = field(default_factory=Request)
    facts: list[Fact] = field(default_factory=list)
    requests: list[Outgoing] = field(default_factory=list)
    children: dict[str, Child] = field(default_factory=dict)
    _moved: bool = True

    def change(self, **change: object) -> None:
        """Change the payment; the next fact tells it."""
        self.payment = but(self.payment, **change)
        self._moved = True

    def put(self, child: Child) -> None:
        """Add a child or replace it by its later state."""
        others = self.payment.children
        if self.payment.child(child.id) is None:
            self.change(children=(*others, child))
        else:
            self.change(children=tuple(child if c.id == child.id else c for c in others))
        self.children.pop(child.id, None)
        self.children[child.id] = child

    def ask(self, request: AcquirerRequest | Timer, not_before_ms: int | None = None) -> None:
        """Send something out, not before a time."""
        self.requests.append(Outgoing(request, not_before_ms))

    def tell(self, kind: FactType, **change: object) -> None:
        """Apply `change` and add the fact that says so. A fact that changes nothing, such as
        `payment.success` behind `payment.captured`, shows the payment as it was shown last."""
        sequence = self.payment.sequence + 1
        told = {**change, "sequence": sequence, "updated_at_ms": self.at_ms}
        self.payment = but(self.payment, **told)
        if change or self._moved or self.shown is None:
            snapshot = self.payment.snapshot()
        else:
            snapshot = self.shown
        self.facts.append(self._fact(kind, sequence, snapshot))
        self.shown, self._moved = snapshot, False

    def _fact(self, kind: FactType, sequence: int, snapshot: PaymentSnapshot) -> Fact:
        return Fact(
            id=ids.event_id(self.payment.id, sequence),
            event=kind,
            type=kind,
            timestamp=self.at_ms // 1000,
            created_at=iso(self.at_ms),
            livemode=snapshot.livemode,
            sequence=sequence,
            data=self._data(kind, snapshot),
            previous=_changed(self.shown, snapshot),
            request=self.request,
        )

    def _data(self, kind: FactType, snapshot: PaymentSnapshot) -> Data:
        """The payment, and the child of the fact's kind that was touched last."""
        about = kind.partition(".")[0]
        child = next((c for c in reversed(self.children.values()) if c.kind == about), None)
        if child is None:
            return Data(payment=snapshot)
        return Data.model_validate({"payment": snapshot, about: child.snapshot(self.payment.owner)})

    def decided(self, result: bytes | None = None) -> Decision:
        """What all of it came to."""
        return Decision(
            self.payment,
            tuple(self.facts),
            tuple(self.requests),
            children=tuple(self.children.values()),
            result=result,
        )


def _changed(before: PaymentSnapshot | None, after: PaymentSnapshot) -> dict[str, Any]:
    """The members of `before` that `after` has otherwise."""
    if before is None or before is after:
        return {}
    later = after.__dict__
    return {
        name: value
        for name, value in before.__dict__.items()
        if value != later[name] and name != "updated_at"
    }
