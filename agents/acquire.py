"""Acquire: requests go to the bank, its answers come back as commands; nobody waits in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from headgate.agents.acquirers.protocol import Acquirer, Answer
from headgate.streams import ids
from headgate.streams.bus import Bus, Position, Record
from headgate.streams.clock import now_ms
from headgate.streams.coalesce import Coalescer
from headgate.streams.codec import dead_letter, decode, encode
from headgate.streams.commands import ACQUIRER_REQUEST, AcquirerAnswer, AcquirerRequest
from headgate.streams.crashpoints import reach
from headgate.streams.delays import delayed
from headgate.streams.engine.intake import Delivered
from headgate.streams.errors import CannotDecode
from headgate.streams.settings import Settings
from headgate.streams.topics import ACQUIRER_REQUESTS, PAYMENT_COMMANDS
from headgate.tables.acquirer_attempts import AcquirerAttempts, Known
from headgate.tables.postgres import RowRefused

log = structlog.get_logger(__name__)

BANK_WORD_MAX = 255
"""Most characters that are kept of a reference or code that a bank gives."""


class Acquire:
    """Handler of the acquire loop. Handling a request twice equals handling it once, by
    (`attempt_id`, `look`): a stored answer is told again, a call without one is inquired."""

    def __init__(
        self, settings: Settings, attempts: AcquirerAttempts, bus: Bus, acquirer: Acquirer
    ) -> None:
        self._settings = settings
        self._acquirer = acquirer
        self._attempts = attempts
        most = settings.batch_max
        self._sent = Coalescer[AcquirerRequest, Known](attempts.sent, batch_max=most)
        self._answered = Coalescer[AcquirerAnswer, AcquirerAnswer](
            attempts.answered, batch_max=most
        )
        self._outputs = Coalescer[Record, Position](bus.publish, batch_max=most)
        self._under_way: dict[tuple[str, int], asyncio.Future[None]] = {}

    async def handle(self, record: Delivered, redelivered: bool) -> None:
        """Ask the bank once and tell its answer. Raises Unavailable (try again)."""
        try:
            request = decode(ACQUIRER_REQUEST, record.value)
        except CannotDecode as error:
            await self._outputs.submit(self._dead(record, str(error)))
            return
        # Copies of one request wait for each other: two calls at once could charge twice.
        attempt = (request.attempt_id, request.look)
        while (earlier := self._under_way.get(attempt)) is not None:
            await asyncio.wait({earlier})
        under_way = asyncio.get_running_loop().create_future()
        self._under_way[attempt] = under_way
        try:
            output = await self._worked_on(request, record)
        except RowRefused as error:
            log.critical("request refused", attempt=request.attempt_id, reason=str(error))
            output = self._dead(record, str(error))
        finally:
            del self._under_way[attempt]
            under_way.set_result(None)
        await self._outputs.submit(output)

    async def _worked_on(self, request: AcquirerRequest, record: Delivered) -> Record:
        """The answer to publish: the one on record, or else the bank's. Raises RowRefused when
        PostgreSQL will never take the attempt or its answer."""
        known = await self._note(request)
        reach("acquire.sent")
        answer, after_ms = known.answer, 0
        if answer is None:
            said = await self._ask(request, first=known.fresh)
            answer, after_ms = await self._keep(_command(request, said)), said.after_ms
        reach("acquire.answered")
        return self._told(answer, record.partition, after_ms)

    async def _note(self, request: AcquirerRequest) -> Known:
        """What is known of the attempt, now that it is noted. A request that PostgreSQL refuses
        must not take the others of its batch along, so each is then asked about alone."""
        try:
            return await self._sent.submit(request)
        except RowRefused:
            return (await self._attempts.sent([request]))[0]

    async def _keep(self, answer: AcquirerAnswer) -> AcquirerAnswer:
        """The answer that is on record from now on: an earlier one stands. As with requests, one
        that PostgreSQL refuses must not take others along."""
        try:
            return await self._answered.submit(answer)
        except RowRefused:
            return (await self._attempts.answered([answer]))[0]

    async def _ask(self, request: AcquirerRequest, *, first: bool) -> Answer:
        """The bank's answer. A request that was sent before without an answer on record is
        inquired first, since it may have charged; only one that the bank never saw is sent again,
        with the same idempotency key (07 §6 row 32)."""
        if request.type == "inquire" or not first:
            said = await self._bounded(self._acquirer.inquire, request)
            if request.type == "inquire" or said.outcome != "not_found":
                return said
        return await self._bounded(self._acquirer.authorize, request)

    async def _bounded(
        self, call: Callable[[AcquirerRequest], Awaitable[Answer]], request: AcquirerRequest
    ) -> Answer:
        """The call's answer, `unknown` when it fails or is late."""
        try:
            return await asyncio.wait_for(call(request), self._settings.acquirer_timeout_ms / 1000)
        except Exception as error:  # noqa: BLE001  whatever a connector raises is an answer: doubt
            log.warning("acquirer failed", attempt=request.attempt_id, error=str(error))
            return Answer("unknown")

    def _told(self, answer: AcquirerAnswer, partition: int, after_ms: int) -> Record:
        record = Record(
            topic=PAYMENT_COMMANDS.full_name(self._settings),
            partition=partition,
            key=answer.payment_id.encode(),
            value=encode(answer),
        )
        at_ms = now_ms()
        return delayed(record, at_ms + after_ms, at_ms, self._settings)

    def _dead(self, record: Delivered, reason: str) -> Record:
        origin = record.as_record(ACQUIRER_REQUESTS.full_name(self._settings))
        return dead_letter(ACQUIRER_REQUESTS, self._settings, origin, record.offset, reason)


def _command(request: AcquirerRequest, said: Answer) -> AcquirerAnswer:
    key = f"{request.attempt_id}:{request.look}"
    return AcquirerAnswer(
        command_id=ids.command_id(request.payment_id, request.type, key),
        payment_id=request.payment_id,
        merchant_id=request.merchant_id,
        mode=request.mode,
        attempt_id=request.attempt_id,
        operation=request.type,
        look=request.look,
        outcome=said.outcome,
        amount=request.amount,
        reference=_storable(said.reference),
        decline_code=_storable(said.decline_code),
        advice_code=_storable(said.advice_code),
    )


def _storable(said: str | None) -> str | None:
    """A bank's word as PostgreSQL can keep it: no NUL, no half characters, not without end. One
    that it refused would hold up this request for ever."""
    if said is None:
        return None
    return said.encode(errors="replace").decode().replace("\0", "")[:BANK_WORD_MAX]
