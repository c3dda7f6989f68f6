"""What a bank did about a payment, told by its recorded answers, as a scenario of the simulator."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.streams.commands import AcquirerAnswer, Method, Outcome
from headgate.streams.plays import Scenario

_DECLINES: dict[str | None, Scenario] = {
    "insufficient_funds": "insufficient_funds",
    "lost_card": "lost_card",
    "stolen_card": "stolen_card",
    "expired_card": "expired_card",
    "incorrect_cvc": "incorrect_cvc",
    "issuer_unavailable": "processing_error",
    "vpa_not_found": "vpa_not_found",
}
"""Scenarios that end with a decline of their own; every other decline is played by `decline`."""


@dataclass(slots=True)
class BankStory:
    """One payment at its bank, as far as it was no plain approval of all of it."""

    first: Outcome = "approved"
    """The answer to the call itself."""
    decline_code: str | None = None
    last: Outcome | None = None
    """What an inquiry or a call back said last."""
    forgot: bool = False
    """Whether the bank once knew of nothing."""
    partial: bool = False
    capture_failed: bool = False
    refund_failed: bool = False
    refund_returned: bool = False

    def hear(self, answer: AcquirerAnswer, asked: int | None) -> None:
        """Another answer; `asked` is the payment's amount where it is known."""
        declined = answer.outcome == "declined"
        if answer.operation in ("authorize", "inquire"):
            self._hear_about_approval(answer, asked)
        elif answer.operation == "capture" and declined:
            self.capture_failed = True
        elif answer.operation == "refund" and declined:
            returned = answer.callback > 0
            self.refund_returned |= returned
            self.refund_failed |= not returned

    def _hear_about_approval(self, answer: AcquirerAnswer, asked: int | None) -> None:
        if answer.look == 0 and answer.callback == 0:
            self.first = answer.outcome
            approved = answer.outcome == "approved"
            self.partial = approved and asked is not None and answer.amount < asked
        else:
            self.last = answer.outcome
            self.forgot |= answer.outcome == "not_found"
        self.decline_code = answer.decline_code or self.decline_code

    @property
    def plain(self) -> bool:
        """Whether the bank approved everything, as it does without being told."""
        return self == BankStory(last=self.last) and self.last in (None, "approved")

    def scenario(self, method: Method) -> Scenario:
        """The play that comes closest."""
        if self.first == "challenged":
            return "challenge" if method == "card" else self._collected()
        if self.first == "unknown":
            return self._in_doubt()
        if self.first in ("declined", "not_found"):
            return _DECLINES.get(self.decline_code, "decline")
        return self._approved()

    def _collected(self) -> Scenario:
        """The customer was asked in their app. No test value lets them agree there."""
        if self.last == "approved":
            return "approve"
        return "collect_rejected" if self.last == "declined" else "collect_expired"

    def _in_doubt(self) -> Scenario:
        if self.forgot:
            return "late_approval" if self.last == "approved" else "timeout_not_found"
        return "timeout_not_found" if self.last == "declined" else "timeout"

    def _approved(self) -> Scenario:
        if self.partial:
            return "partial_approval"
        if self.capture_failed:
            return "capture_fails_once"
        if self.refund_returned:
            return "refund_returned"
        return "refund_fails" if self.refund_failed else "approve"
