"""Accepting a command: claim its key, hand it to the log, answer after the ack (00 A3, A4)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from headgate.http.claims import Claim, Claims, Ending
from headgate.http.creating import Submission
from headgate.http.decisions import Decided, Decisions
from headgate.http.detour import Detour
from headgate.http.problems_of_requests import KeyReused
from headgate.http.problems_of_services import KeyInUse, LogAway, OutcomeUnknown
from headgate.streams import crashpoints
from headgate.streams.bus import Bus, Record
from headgate.streams.coalesce import Coalescer
from headgate.streams.errors import CacheUnavailable, LogUnavailable, StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.created import created_answer_of

log = structlog.get_logger(__name__)

IN_FLIGHT_POLL_MS = 10
"""How often a key in flight is looked at again; one script serves all who wait."""


class Accepted(NamedTuple):
    """The answer to a create. Without a position the log does not have the command yet, but the
    outbox does."""

    answer: bytes
    position: str | None
    replayed: bool = False


class Undecided(NamedTuple):
    """The command is on its way, but what it leads to is not known yet (202)."""

    command_id: str
    position: str | None


Outcome = Accepted | Undecided


class Handoff:
    """The acceptance path. With any one of Kafka, Redis and PostgreSQL away it still accepts."""

    def __init__(
        self, settings: Settings, bus: Bus, claims: Claims, detour: Detour, decisions: Decisions
    ) -> None:
        self._bus = bus
        self._claims = claims
        self._detour = detour
        self._decisions = decisions
        self._wait_ms = settings.in_flight_wait_ms
        self._unused_wait_ms = settings.unused_key_wait_ms
        self._retry_after_s = settings.retry_after_s
        self._log: Coalescer[Record, str] = Coalescer(
            self._publish, batch_max=settings.handoff_batch_max
        )

    async def accept(self, submission: Submission) -> Outcome:
        """Hand the command to the log and answer it.

        Raises KeyInUse, KeyReused, LogAway (nothing happened) or OutcomeUnknown (repeat it).
        """
        asked_redis = self._detour.available
        try:
            claim = await self._claim(submission)
        except CacheUnavailable:
            return await self._go_around(submission, asked_redis=asked_redis)
        if claim.word == "new":
            return await self._hand_over(submission, claim)
        if claim.word == "unsure":
            return await self._ask_again(submission)
        return self._known(submission, claim)

    async def drain(self, timeout_s: float) -> None:
        """Wait for what was begun; the rest is in the outbox."""
        await self._log.drain(timeout_s)
        await self._claims.drain(timeout_s)

    async def _claim(self, submission: Submission) -> Claim:
        """The claim, waiting while another request with this key is on its way (08 R14)."""
        unused = await self._unused(submission)
        claim = await self._claims.claim(submission, unused=unused)
        deadline = time.monotonic() + self._wait_ms / 1000
        while claim.word == "claimed" and self._bus.available and time.monotonic() < deadline:
            await asyncio.sleep(IN_FLIGHT_POLL_MS / 1000)
            claim = await self._claims.claim(submission)
        return claim

    async def _unused(self, submission: Submission) -> bool:
        """Whether PostgreSQL has never seen a key that Redis may have forgotten."""
        if not submission.keyed or not self._claims.may_have_forgotten():
            return False
        try:
            return await self._decisions.of(submission.command_id, self._unused_wait_ms) is None
        except StoreUnavailable:
            return False  # Then Redis does not vouch, and the answer waits for the decision.

    def _known(self, submission: Submission, claim: Claim) -> Outcome:
        """The answer to a key whose claim needs nothing more."""
        if claim.word == "other":
            raise _reused()
        if claim.word == "full":
            raise LogAway(
                "The log is unavailable and as many commands wait for it as may. Nothing "
                "happened; try again.",
                retry_after_s=self._retry_after_s,
            )
        # While the log is away, a repeat hears what the first request heard: it is in the outbox.
        if claim.word == "claimed" and not self._bus.available and claim.answer is None:
            return Undecided(submission.command_id, None)
        if claim.word == "claimed" and self._bus.available:
            raise KeyInUse(
                "The first request with this Idempotency-Key has no answer yet; try again.",
                retry_after_s=self._retry_after_s,
            )
        return Accepted(claim.answer or b"", claim.position, replayed=True)

    async def _hand_over(self, submission: Submission, claim: Claim) -> Outcome:
        """Produce a command that the outbox holds."""
        crashpoints.reach("edge.claimed")
        position = None
        if self._bus.available:
            try:
                position = await self._log.submit(submission.record)
            except LogUnavailable as error:
                log.info("left in the outbox", command_id=submission.command_id, reason=str(error))
        crashpoints.reach("edge.acked")
        if position is not None:
            self._claims.end(_ending(submission, position))
        # Redis lost its data while this was on its way: another body may have been first.
        flushed = claim.born != self._claims.born
        if submission.keyed and (flushed or not claim.vouched):
            return await self._from_decision(submission, position)
        return Accepted(submission.answer, position)

    async def _go_around(self, submission: Submission, *, asked_redis: bool) -> Outcome:
        """Produce without Redis; settle drops what it has seen (00 A4)."""
        if not self._bus.available and asked_redis:
            # What Redis was sent it may still do, and then the command leaves its outbox one day.
            raise self._unknown()
        if not self._bus.available:
            raise LogAway(
                "Neither Kafka nor Redis can take the payment. Nothing happened; try again.",
                retry_after_s=self._retry_after_s,
            )
        if submission.keyed:
            self._detour.remember(submission.payment_id)
        position = await self._append(submission)
        if submission.keyed:
            return await self._from_decision(submission, position)
        return Accepted(submission.answer, position)

    async def _ask_again(self, submission: Submission) -> Outcome:
        """A key about which Redis knows only that it does not know."""
        try:
            decided = await self._decisions.of(submission.command_id, self._wait_ms)
        except StoreUnavailable:
            decided = None
        if decided is not None:
            return await self._answered(submission, decided)
        return await self._from_decision(submission, await self._append(submission))

    async def _append(self, submission: Submission) -> str:
        """Produce a command that is in no outbox."""
        try:
            return await self._log.submit(submission.record)
        except LogUnavailable:
            raise self._unknown() from None

    def _unknown(self) -> OutcomeUnknown:
        return OutcomeUnknown(
            "There was no answer in time: the payment may or may not have been taken. Repeat the "
            "request with the Idempotency-Key of this answer.",
            retry_after_s=self._retry_after_s,
        )

    async def _from_decision(self, submission: Submission, position: str | None) -> Outcome:
        """The answer that settle's decision gives; the first body under a key wins (08 R13)."""
        decided = None
        if position is not None:
            try:
                decided = await self._decisions.wait_for(submission.command_id, self._wait_ms)
            except StoreUnavailable as error:
                log.info("not decided yet", command_id=submission.command_id, reason=str(error))
        if decided is None:
            return Undecided(submission.command_id, position)
        return await self._answered(submission, decided)

    async def _answered(self, submission: Submission, decided: Decided) -> Outcome:
        payment = decided.payment
        if payment is None or decided.fingerprint is None:
            raise _reused()
        answer = created_answer_of(payment)
        ending = _ending(submission, decided.position)
        with contextlib.suppress(CacheUnavailable):
            await self._claims.decided(ending, decided.fingerprint, answer)
        if decided.fingerprint != submission.fingerprint:
            raise _reused()
        replayed = payment.request_id != submission.request_id
        return Accepted(answer, decided.position, replayed)

    async def _publish(self, records: Sequence[Record]) -> Sequence[str]:
        if not self._bus.available:
            raise LogUnavailable("the log is known to be away")
        return [str(position) for position in await self._bus.publish(records)]


def _ending(submission: Submission, position: str) -> Ending:
    return Ending(submission.payment_id, submission.command_id, position)


def _reused() -> KeyReused:
    return KeyReused(
        "This Idempotency-Key was used for a request with another body. Use a new key, or send "
        "the first body again.",
        param="Idempotency-Key",
    )
