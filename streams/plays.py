"""What the simulated bank plays: every answer, and what it says later of its own accord."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from headgate.streams.commands import BankCall, Outcome
from headgate.streams.declines import DECLINES, DeclineCode

SLOW_MAX_MS = 60_000
"""Longest time that a test value can make the bank take."""

Scenario = Literal[
    "approve", "decline", "insufficient_funds", "lost_card", "stolen_card", "expired_card",
    "incorrect_cvc", "processing_error", "challenge", "instant_funds", "refund_returned",
    "refund_fails", "disputed", "dispute_inquiry", "timeout", "timeout_not_found", "late_approval",
    "duplicate_callbacks", "partial_approval", "capture_fails_once", "settlement_discrepancy",
    "collect_rejected", "collect_expired", "vpa_not_found",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Word:
    """One thing that the bank says."""

    outcome: Outcome
    decline_code: DeclineCode | None = None
    percent: int = 100
    """How much of the amount the bank approves, in percent."""

    @property
    def advice_code(self) -> str | None:
        """What the decline advises; None for what is no decline."""
        return DECLINES[self.decline_code].advice if self.decline_code else None

    def amount(self, asked: int) -> int:
        """The part of `asked` that it is about, in minor units, never nothing."""
        return max(1, asked * self.percent // 100)


APPROVED = Word("approved")
UNKNOWN = Word("unknown")
NOT_FOUND = Word("not_found")


def _declined(code: DeclineCode) -> Word:
    return Word("declined", code)


@dataclass(frozen=True, slots=True)
class Later:
    """Something that the bank says without being asked."""

    word: Word
    after_ms: int
    """How long after its answer; below zero: before it."""
    about: BankCall = "authorize"
    look: int = 0
    """Behind which inquiry; 0 is the call itself."""


@dataclass(frozen=True, slots=True)
class Play:
    """What the bank answers. Of a list the last word stands for ever."""

    shown: str
    """What happens, for people: a sentence without its full stop."""
    authorize: Word = APPROVED
    authenticated: Word = APPROVED
    """What it answers once the customer has passed its question."""
    inquiries: tuple[Word, ...] = ()
    """Answers to what became of the authorisation; empty: what it said at once."""
    captures: tuple[Word, ...] = (APPROVED,)
    """Answers to the first capture, the second, and so on."""
    refund: Word = APPROVED
    later: tuple[Later, ...] = ()
    takes_ms: int | None = None
    """How long it takes over the authorisation; None: as everybody else's."""


def _refuses(code: DeclineCode, shown: str) -> Play:
    return Play(f"{shown}: declined with `{code}`", authorize=_declined(code))


PLAYS: dict[Scenario, Play] = {
    "approve": Play("approved"),
    "decline": _refuses("do_not_honor", "the bank does not say why"),
    "insufficient_funds": _refuses("insufficient_funds", "the account is empty"),
    "lost_card": _refuses("lost_card", "the card was reported lost"),
    "stolen_card": _refuses("stolen_card", "the card was reported stolen"),
    "expired_card": _refuses("expired_card", "the card has expired"),
    "incorrect_cvc": _refuses("incorrect_cvc", "the security code is wrong"),
    "processing_error": Play(
        "the bank fails at the first attempt: declined with `issuer_unavailable` and the advice "
        "`try_again_later`; a new payment that says it is a second attempt, with "
        "`metadata.test_attempt` of 2 or more, is approved",
        authorize=_declined("issuer_unavailable"),
    ),
    "challenge": Play(
        "the bank asks the customer first (3-D Secure): `requires_action`, then approved when the "
        "customer passes, failed with `authentication_failed` when not",
        authorize=Word("challenged"),
    ),
    "instant_funds": Play("approved; its funds will be available at once when balances exist"),
    "refund_returned": Play(
        "approved; a refund is processed, then the bank returns it two seconds later: it is "
        "`failed`, and its amount can be refunded again",
        later=(Later(_declined("do_not_honor"), 2000, "refund"),),
    ),
    "refund_fails": Play(
        "approved; every refund is declined with `do_not_honor`",
        refund=_declined("do_not_honor"),
    ),
    "disputed": Play("approved; a dispute will follow when disputes exist"),
    "dispute_inquiry": Play("approved; an inquiry will follow when disputes exist"),
    "timeout": Play(
        "no answer: `in_doubt`, asked again after 1, 3 and 10 seconds, approved at the third look",
        authorize=UNKNOWN,
        inquiries=(UNKNOWN, UNKNOWN, APPROVED),
    ),
    "timeout_not_found": Play(
        "no answer: `in_doubt`, and at the first look the bank knows of nothing: failed",
        authorize=UNKNOWN,
        inquiries=(NOT_FOUND,),
    ),
    "late_approval": Play(
        "no answer, and at the first look the bank knows of nothing: failed; two seconds later it "
        "approves after all. The approval is reversed, or taken with "
        '`"late_authorization": "accept"`',
        authorize=UNKNOWN,
        inquiries=(NOT_FOUND,),
        later=(Later(APPROVED, 2000, look=1),),
    ),
    "duplicate_callbacks": Play(
        "approved, and told three times more, out of order and once before the answer; it counts "
        "once",
        later=(Later(APPROVED, -400), Later(APPROVED, 400), Later(APPROVED, 200)),
        takes_ms=400,
    ),
    "partial_approval": Play(
        "the bank approves 60 percent: that is reversed and the payment fails, unless it was "
        'created with `"partial_authorization": true`',
        authorize=Word("approved", percent=60),
    ),
    "capture_fails_once": Play(
        "approved; with manual capture the first capture is declined with `issuer_unavailable` "
        "and its amount can be captured again, which succeeds",
        captures=(_declined("issuer_unavailable"), APPROVED),
    ),
    "settlement_discrepancy": Play("approved; its settlement will not match when batches exist"),
    "collect_rejected": Play(
        "the customer is asked in their app (`requires_action`) and refuses a second later: "
        "declined with `upi_collect_rejected`",
        authorize=Word("challenged"),
        inquiries=(_declined("upi_collect_rejected"),),
    ),
    "collect_expired": Play(
        "the customer is asked in their app (`requires_action`) and never answers: failed with "
        "`upi_collect_expired` after `expires_in` seconds, 15 minutes unless set",
        authorize=Word("challenged"),
        inquiries=(UNKNOWN,),
    ),
    "vpa_not_found": _refuses("vpa_not_found", "there is no such UPI address"),
}
"""Every play by its scenario."""

_BY_NAME: dict[str, Play] = {name: play for name, play in PLAYS.items()}  # noqa: C416  other keys
_SLOW = re.compile(r"slow-([0-9]{1,5})")


def slow(takes_ms: int) -> str:
    """The scenario of a bank that approves after this time, or after `SLOW_MAX_MS`."""
    return f"slow-{min(takes_ms, SLOW_MAX_MS)}"


def play_of(scenario: str | None) -> Play | None:
    """The play of a scenario; None when there is none or nobody here knows it."""
    if scenario is None:
        return None
    play = _BY_NAME.get(scenario)
    if play is None and (found := _SLOW.fullmatch(scenario)):
        return replace(PLAYS["approve"], takes_ms=min(int(found[1]), SLOW_MAX_MS))
    return play
