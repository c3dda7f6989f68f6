"""The built-in simulated bank: outcome = f(payment, attempt, scenario, seed), never chance."""

from __future__ import annotations

import hashlib

from headgate.agents.acquirers.protocol import Answer
from headgate.streams.commands import AcquirerRequest, Outcome
from headgate.streams.scenarios import PLAYS, Play
from headgate.streams.settings import Settings


class Simulator:
    """A bank that answers the same to the same request for ever, so that replays never re-roll."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def authorize(self, request: AcquirerRequest) -> Answer:
        """The scenario's outcome; without one, the seed's success rates decide."""
        play = self._play(request)
        return _answer(play, play.outcome, request, self._delay_ms(request))

    async def inquire(self, request: AcquirerRequest) -> Answer:
        """The scenario's answer to this look; the last one stands for all later looks. Look 0
        asks after the authorisation itself."""
        play = self._play(request)
        if request.look == 0:
            return _answer(play, play.outcome, request, 0)
        inquiries = play.inquiries or (play.outcome,)
        outcome = inquiries[min(request.look, len(inquiries)) - 1]
        return _answer(play, outcome, request, 0)

    def _play(self, request: AcquirerRequest) -> Play:
        if request.scenario in PLAYS:
            return PLAYS[request.scenario]
        approved = self._chance(request, "outcome") < self._success_rate(request)
        return PLAYS["approve" if approved else "decline"]

    def _success_rate(self, request: AcquirerRequest) -> float:
        settings = self._settings
        if settings.test_mode:
            return 1.0 if settings.test_payment_success else 0.0
        return settings.upi_success_rate if request.method == "upi" else settings.card_success_rate

    def _delay_ms(self, request: AcquirerRequest) -> int:
        settings = self._settings
        if settings.test_mode:
            return settings.test_processing_delay_ms
        spread = max(0, settings.processing_delay_max_ms - settings.processing_delay_min_ms)
        return settings.processing_delay_min_ms + round(spread * self._chance(request, "delay"))

    def _chance(self, request: AcquirerRequest, what: str) -> float:
        """A number in [0, 1) that the attempt, the seed and the question determine."""
        text = f"{self._settings.simulator_seed}:{what}:{request.attempt_id}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def _answer(play: Play, outcome: Outcome, request: AcquirerRequest, after_ms: int) -> Answer:
    declined = outcome == "declined"
    return Answer(
        outcome=outcome,
        reference=None
        if outcome in ("unknown", "not_found")
        else f"sim_{request.attempt_id[4:16]}",
        decline_code=play.decline_code if declined else None,
        advice_code=play.advice_code if declined else None,
        after_ms=after_ms,
    )
