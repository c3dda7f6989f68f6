"""Test values and what the simulated bank plays for them: one table for edge, simulator, docs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from headgate.streams.commands import Outcome

Scenario = Literal["approve", "decline", "insufficient_funds", "timeout", "timeout_not_found"]


@dataclass(frozen=True, slots=True)
class Play:
    """What the simulated bank answers: to the authorisation, then to each inquiry in turn (the
    last one for ever)."""

    outcome: Outcome
    inquiries: tuple[Outcome, ...] = ()
    decline_code: str | None = None
    advice_code: str | None = None


PLAYS: dict[Scenario, Play] = {
    "approve": Play("approved", ("approved",)),
    "decline": Play("declined", ("declined",), "do_not_honor", "do_not_try_again"),
    "insufficient_funds": Play("declined", ("declined",), "insufficient_funds", "try_again_later"),
    "timeout": Play("unknown", ("unknown", "unknown", "approved")),
    "timeout_not_found": Play("unknown", ("not_found",)),
}

CARDS: dict[str, Scenario] = {
    "4242424242424242": "approve",
    "4111111111111111": "approve",
    "5555555555554444": "approve",
    "378282246310005": "approve",
    "6011111111111117": "approve",
    "4000000000000002": "decline",
    "4000000000009995": "insufficient_funds",
    "4000000000010019": "timeout",
    "4000000000010027": "timeout_not_found",
}

VPAS: dict[str, Scenario] = {
    "success@upi": "approve",
    "success@razorpay": "approve",
    "failure@upi": "decline",
    "failure@razorpay": "decline",
    "timeout@upi": "timeout",
    "notfound@upi": "timeout_not_found",
}
