"""Accepting a command: claim its key, hand it to the log, answer after the ack (00 A3, A4), or
with the decision where the answer is not known before."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import NamedTuple

import structlog

from headgate.http import claims as redis
from headgate.http.claims import Claim, Claims, Ending
from headgate.http.decided import Decided
from headgate.http.decisions import Decisions
from headgate.http.detour import Detour
from headgate.http.problems_of_requests import KeyReused
from headgate.http.problems_of_services import KeyInUse, LogAway, OutcomeUnknown
from headgate.http.sending import Sending
from headgate.http.submission import Answer, Submission
from headgate.streams import crashpoints
from headgate.streams.errors import CacheUnavailable, LogUnavailable, StoreUnavailable
from headgate.streams.settings import Settings

log = structlog.get_logger(__name__)

IN_FLIGHT_POLL_MS = 10
"""How often a key in flight is looked at again; one script serves all who wait."""


END_AFTER_MS = 25
"""How long the outbox keeps what the log has, so that the decision may be told with it."""


class Accepted(NamedTuple):
    """A final answer. Without a position the log does not have the command yet, but the outbox
    does."""

    answer: Answer
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
        self,
        settings: Settings,
        sending: Sending,
        claims: Claims,
        detour: Detour,
        decisions: Decisions,
    ) -> None:
        self._sending = sending
        self._claims = claims
        self._detour = detour
        self._decisions = decisions
        self._wait_ms = settings.in_flight_wait_ms
        self._decision_wait_ms = settings.decision_wait_ms
        self._unused_wait_ms = settings.unused_key_wait_ms
        self._retry_after_s = settings.retry_after_s

    async def accept(self, submission: Submission, wait_ms: int | None = None) -> Outcome:
        """Hand the command to the log and answer it; `wait_ms` is how long that may take to be
        decided, or to be answered by another request with this key.

        Raises KeyInUse, KeyReused, LogAway (nothing happened) or OutcomeUnknown (repeat it).
        """
        if submission.answer is not None:
            return await self._accept(submission, wait_ms)
        with self._decisions.expecting(submission.command_id):
            return await self._accept(submission, wait_ms)

    async def _accept(self, submission: Submission, wait_ms: int | None) -> Outcome:
        asked_redis = self._detour.available
        try:
            claim = await self._claim(submission, wait_ms)
            if claim.word == "ask":
                decided, origin = await self._asked(submission)
                if decided is not None:
                    return self._answered(submission, decided)
                claim = await self._claim(submission, wait_ms, origin)
        except CacheUnavailable:
            return await self._go_around(submission, wait_ms, asked_redis=asked_redis)
        if claim.word == "new":
            return await self._hand_over(submission, claim, wait_ms)
        if claim.word == "unsure":
            return await self._ask_again(submission, wait_ms)
        return await self._known(submission, claim, wait_ms)

    async def drain(self, timeout_s: float) -> None:
        """Wait for what was begun; the rest is in the outbox."""
        await self._sending.drain(timeout_s)
        await self._claims.drain(timeout_s)

    async def _claim(
        self, submission: Submission, wait_ms: int | None, origin: redis.Origin | None = None
    ) -> Claim:
        """The claim, waiting while another request with this key is on its way (08 R14)."""
        claim = await self._claims.claim(submission, origin)
        limit_ms = self._wait_ms if wait_ms is None else wait_ms
        deadline = time.monotonic() + limit_ms / 1000
        while claim.word == "claimed" and self._sending.possible and time.monotonic() < deadline:
            await asyncio.sleep(IN_FLIGHT_POLL_MS / 1000)
            claim = await self._claims.claim(submission, origin)
        return claim

    async def _asked(self, submission: Submission) -> tuple[Decided | None, redis.Origin]:
        """What PostgreSQL knows of a key that Redis may have forgotten."""
        try:
            return await self._stored(submission, self._unused_wait_ms), "unused"
        except StoreUnavailable:
            return None, "blind"  # The answer waits for the decision.

    async def _stored(self, submission: Submission, wait_ms: int) -> Decided | None:
        """The decision that was made under this key. Raises KeyReused when it is about something
        else, StoreUnavailable."""
        if not submission.keyed:
            return await self._decisions.of(submission.command_id, wait_ms)
        uses = await self._decisions.uses_of(submission.key.id, wait_ms)
        if uses and uses[0].command_id != submission.command_id:
            raise _reused()
        return uses[0] if uses else None

    async def _known(self, submission: Submission, claim: Claim, wait_ms: int | None) -> Outcome:
        """The answer to a key whose claim needs nothing more."""
        if claim.word == "other":
            raise _reused()
        if claim.word == "full":
            raise LogAway(
                "The log is unavailable and as many commands wait for it as may. Nothing "
                "happened; try again.",
                retry_after_s=self._retry_after_s,
            )
        if claim.word == "claimed" and self._sending.possible:
            raise KeyInUse(
                "The first request with this Idempotency-Key has no answer yet; try again.",
                retry_after_s=self._retry_after_s,
            )
        if claim.answer is not None:
            # While the log is away, a repeat hears what the first request heard.
            return Accepted(claim.answer, claim.position, replayed=True)
        return await self._from_decision(submission, claim.position, self._deadline(wait_ms))

    async def _hand_over(
        self, submission: Submission, claim: Claim, wait_ms: int | None
    ) -> Outcome:
        """Produce a command that the outbox holds."""
        crashpoints.reach("edge.claimed")
        deadline = self._deadline(wait_ms)
        position = await self._sending.in_turn(submission, claim.before, deadline)
        crashpoints.reach("edge.acked")
        if submission.answer is None:
            return await self._decided(submission, position, deadline)
        if position is not None:
            self._claims.end(_ending(submission, position))
        # Redis lost its data while this was on its way: another body may have been first.
        flushed = claim.born != self._claims.born
        if submission.keyed and (flushed or not claim.vouched):
            return await self._from_decision(submission, position, deadline)
        return Accepted(submission.answer, position)

    async def _decided(
        self, submission: Submission, position: str | None, deadline: float
    ) -> Outcome:
        """The decision about a command that the outbox held. Mostly it comes at once, and what is
        to be told to Redis then goes there in one step; else a timer tells that the log has it."""
        if position is None:
            return await self._from_decision(submission, None, deadline)
        loop = asyncio.get_running_loop()
        ending = _ending(submission, position)
        timer = loop.call_later(END_AFTER_MS / 1000, self._claims.end, ending)
        outcome = await self._from_decision(submission, position, deadline)
        if isinstance(outcome, Accepted):
            timer.cancel()
        return outcome

    async def _go_around(
        self, submission: Submission, wait_ms: int | None, *, asked_redis: bool
    ) -> Outcome:
        """Produce without Redis; settle drops what it has seen (00 A4)."""
        if not self._sending.possible and asked_redis:
            # What Redis was sent it may still do, and then the command leaves its outbox one day.
            raise self._unknown()
        if not self._sending.possible:
            raise LogAway(
                "Neither Kafka nor Redis can take the request. Nothing happened; try again.",
                retry_after_s=self._retry_after_s,
            )
        if submission.keyed:
            self._detour.remember(submission.key.id)
        return await self._ask_again(submission, wait_ms)

    async def _ask_again(self, submission: Submission, wait_ms: int | None) -> Outcome:
        """A key about which Redis knows nothing, or only that it does not know."""
        decided = None
        if submission.keyed:
            with contextlib.suppress(StoreUnavailable):
                decided = await self._stored(submission, self._unused_wait_ms)
        if decided is not None:
            return self._answered(submission, decided)
        position = await self._append(submission)
        if submission.keyed or submission.answer is None:
            return await self._from_decision(submission, position, self._deadline(wait_ms))
        return Accepted(submission.answer, position)

    async def _append(self, submission: Submission) -> str:
        """Produce a command that is in no outbox."""
        try:
            return await self._sending.now(submission)
        except LogUnavailable:
            raise self._unknown() from None

    def _unknown(self) -> OutcomeUnknown:
        return OutcomeUnknown(
            "There was no answer in time: the request may or may not have been taken. Repeat it "
            "with the Idempotency-Key of this answer.",
            retry_after_s=self._retry_after_s,
        )

    def _deadline(self, wait_ms: int | None) -> float:
        """Until when a request waits for its decision."""
        limit_ms = self._decision_wait_ms if wait_ms is None else wait_ms
        return time.monotonic() + limit_ms / 1000

    async def _from_decision(
        self, submission: Submission, position: str | None, deadline: float
    ) -> Outcome:
        """The answer that settle's decision gives; the first body under a key wins (08 R13)."""
        decided = None
        left_ms = round(1000 * (deadline - time.monotonic()))
        # What was left in the outbox goes to the log soon, unless that is away.
        coming = position is not None or self._sending.possible
        if coming and left_ms > 0:
            try:
                decided = await self._decisions.wait_for(submission.command_id, left_ms)
            except StoreUnavailable as error:
                log.info("not decided yet", command_id=submission.command_id, reason=str(error))
        if decided is None:
            return Undecided(submission.command_id, position)
        return self._answered(submission, decided)

    def _answered(self, submission: Submission, decided: Decided) -> Outcome:
        """The answer of a decision, written down for the next repeat."""
        answer, fingerprint = decided.answer(), decided.fingerprint
        if answer is None:  # Nobody asked for one: it happened, and that is all.
            return Undecided(submission.command_id, decided.position)
        if fingerprint is None:
            raise _reused()
        told = redis.Decided(fingerprint, decided.type, answer)
        self._claims.end(_ending(submission, decided.position, told))
        if fingerprint != submission.fingerprint:
            raise _reused()
        replayed = answer.request_id != submission.request_id
        return Accepted(answer, decided.position, replayed)


def _ending(submission: Submission, position: str, decided: redis.Decided | None = None) -> Ending:
    return Ending(
        submission.key.id, submission.payment_id, submission.command_id, position, decided
    )


def _reused() -> KeyReused:
    return KeyReused(
        "This Idempotency-Key was used for another request: on another route, or with another "
        "body. Use a new key, or send the first request again.",
        param="Idempotency-Key",
    )
