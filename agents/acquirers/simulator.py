"""The built-in simulated bank: outcome = f(payment, attempt, scenario, seed), never chance."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from headgate.agents.acquirers.protocol import Answer, Callback
from headgate.streams.clock import now_ms
from headgate.streams.commands import AcquirerRequest
from headgate.streams.plays import APPROVED, UNKNOWN, Play, Word, play_of
from headgate.streams.settings import Settings
from headgate.tables.acquirer_knobs import DEFAULTS, Knobs

DUPLICATES_MS = (-200, 400, 200)
"""When a bank that repeats itself does, counted from its answer: not in order."""

_DECLINED = Word("declined", "do_not_honor")
_AWAY = Word("declined", "issuer_unavailable")


class Simulator:
    """A bank that says the same to the same request for ever, so that replays never re-roll.

    `knobs_of` gives what a merchant has set for the bank (08 R24). A test value wins over every
    knob but an outage and the time that the bank takes.
    """

    def __init__(
        self, settings: Settings, knobs_of: Callable[[str], Knobs] = lambda _merchant_id: DEFAULTS
    ) -> None:
        self._settings = settings
        self._knobs_of = knobs_of

    async def authorize(self, request: AcquirerRequest) -> Answer:
        """The scenario's word; without one, the success rates decide."""
        return self._answer(request)

    async def capture(self, request: AcquirerRequest) -> Answer:
        """Approved, unless the scenario or a knob says otherwise."""
        return self._answer(request)

    async def void(self, request: AcquirerRequest) -> Answer:
        """Likewise."""
        return self._answer(request)

    async def refund(self, request: AcquirerRequest) -> Answer:
        """Likewise, after the seed's 3 to 5 seconds."""
        return self._answer(request)

    async def reverse(self, request: AcquirerRequest) -> Answer:
        """Likewise, at once."""
        return self._answer(request)

    async def increment(self, request: AcquirerRequest) -> Answer:
        """Likewise, at once."""
        return self._answer(request)

    async def inquire(self, request: AcquirerRequest) -> Answer:
        """What the bank did, also when a knob kept that from being heard. A scenario has a word
        for each look; its last one stands."""
        if self._knobs(request).is_out(now_ms()):
            return _said(UNKNOWN, request, 0)
        return _said(self._found(request), request, 0)

    def callbacks(self, request: AcquirerRequest, answer: Answer) -> Sequence[Callback]:
        """The scenario's, or the answer again where a knob says so."""
        if self._knobs(request).is_out(now_ms()):
            return ()
        play, takes_ms = play_of(request.scenario), self._takes_ms(request)
        if play is None:
            return self._duplicates(request, answer, takes_ms)
        return [
            Callback(_said(later.word, request, 0), max(0, takes_ms + later.after_ms))
            for later in play.later
            if (later.about, later.look) == (request.about, request.look)
        ]

    def _duplicates(
        self, request: AcquirerRequest, answer: Answer, takes_ms: int
    ) -> Sequence[Callback]:
        final = answer.outcome in ("approved", "declined") and request.look == 0
        if not final or not self._happens(
            request, "duplicate", self._knobs(request).duplicate_ratio
        ):
            return ()
        return [Callback(answer, max(0, takes_ms + after_ms)) for after_ms in DUPLICATES_MS]

    def _answer(self, request: AcquirerRequest) -> Answer:
        """What is heard of a call."""
        knobs, word = self._knobs(request), self._word(request)
        lost = play_of(request.scenario) is None and self._happens(
            request, "timeout", knobs.timeout_ratio
        )
        if lost or knobs.is_out(now_ms()):
            word = UNKNOWN
        return _said(word, request, self._takes_ms(request))

    def _found(self, request: AcquirerRequest) -> Word:
        """What an inquiry finds."""
        play = play_of(request.scenario)
        asked_again = request.about == "authorize" and request.look > 0
        if play and asked_again and play.inquiries and not request.authenticated:
            return _nth(play.inquiries, request.look)
        return self._word(request)

    def _word(self, request: AcquirerRequest) -> Word:
        """What the bank did about a call, whether or not it is heard."""
        play = play_of(request.scenario)
        if play is not None:
            return _played(play, request)
        if self._happens(request, "error", self._knobs(request).error_ratio):
            return _AWAY
        if request.about != "authorize":
            return APPROVED
        return APPROVED if self._happens(request, "outcome", self._rate(request)) else _DECLINED

    def _rate(self, request: AcquirerRequest) -> float:
        """The share of payments without a test value that are approved."""
        settings, set_by_merchant = self._settings, self._knobs(request).approve_ratio
        if set_by_merchant is not None:
            return set_by_merchant
        if settings.test_mode:
            return 1.0 if settings.test_payment_success else 0.0
        return settings.upi_success_rate if request.method == "upi" else settings.card_success_rate

    def _takes_ms(self, request: AcquirerRequest) -> int:
        """How long the bank takes over a call; inquiries are answered at once."""
        if request.look > 0:
            return 0
        play, latency = play_of(request.scenario), self._knobs(request).latency_ms
        if play and play.takes_ms is not None and request.about == "authorize":
            return play.takes_ms
        if latency is not None:
            return self._between(request, latency.min, latency.max)
        settings = self._settings
        if request.about not in ("authorize", "refund"):
            return 0
        if settings.test_mode:
            return settings.test_processing_delay_ms
        if request.about == "refund":
            least, most = settings.refund_delay_min_ms, settings.refund_delay_max_ms
        else:
            least, most = settings.processing_delay_min_ms, settings.processing_delay_max_ms
        return self._between(request, least, most)

    def _between(self, request: AcquirerRequest, least: int, most: int) -> int:
        return least + round(max(0, most - least) * self._number(request, "delay"))

    def _happens(self, request: AcquirerRequest, what: str, ratio: float) -> bool:
        return ratio > 0 and self._number(request, what) < ratio

    def _number(self, request: AcquirerRequest, what: str) -> float:
        """A number in [0, 1) that the attempt, the seed and the question determine."""
        seed = self._knobs(request).seed or self._settings.simulator_seed
        text = f"{seed}:{what}:{request.attempt_id}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64

    def _knobs(self, request: AcquirerRequest) -> Knobs:
        return self._knobs_of(request.merchant_id) if request.mode == "test" else DEFAULTS


def _played(play: Play, request: AcquirerRequest) -> Word:
    if request.about == "authorize":
        return play.authenticated if request.authenticated else play.authorize
    if request.about == "capture":
        return _nth(play.captures, request.ordinal)
    return play.refund if request.about == "refund" else APPROVED


def _nth(words: Sequence[Word], number: int) -> Word:
    """The word at this place, counted from 1; the last one stands for all behind it."""
    return words[min(number, len(words)) - 1]


def _said(word: Word, request: AcquirerRequest, after_ms: int) -> Answer:
    silent = word.outcome in ("unknown", "not_found")
    return Answer(
        outcome=word.outcome,
        reference=None if silent else f"sim_{request.attempt_id[4:16]}",
        decline_code=word.decline_code,
        advice_code=word.advice_code,
        after_ms=after_ms,
        amount=word.amount(request.amount),
    )
