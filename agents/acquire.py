"""Acquire: requests go to the bank, its answers come back as commands; nobody waits in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from headgate.agents.acquirers.guard import permitted
from headgate.agents.acquirers.protocol import Acquirer, Answer, Callback
from headgate.agents.bank_words import (
    CALLBACKS_MAX,
    UNKNOWN,
    answer_to,
    callback_makes_sense,
    makes_sense,
    said_in,
)
from headgate.streams.bus import Bus, Position, Record
from headgate.streams.clock import iso, now_ms
from headgate.streams.coalesce import Coalescer
from headgate.streams.codec import command_headers, dead_letter, decode, encode, header
from headgate.streams.commands import ACQUIRER_REQUEST, AcquirerAnswer, AcquirerRequest, BankCall
from headgate.streams.crashpoints import reach
from headgate.streams.delays import delayed
from headgate.streams.engine.intake import Delivered
from headgate.streams.errors import CannotDecode
from headgate.streams.settings import Settings
from headgate.streams.topics import ACQUIRER_REQUESTS, PAYMENT_COMMANDS
from headgate.tables.acquirer_attempts import AcquirerAttempts, Known
from headgate.tables.postgres import RowRefused

log = structlog.get_logger(__name__)

Call = Callable[[AcquirerRequest], Awaitable[Answer]]


class Acquire:
    """Handler of the acquire loop. Handling a request twice equals handling it once, by
    (`attempt_id`, `look`): a stored answer is told again, a call without one is inquired."""

    def __init__(
        self, settings: Settings, attempts: AcquirerAttempts, bus: Bus, acquirer: Acquirer
    ) -> None:
        self._settings = settings
        self._acquirer = permitted(settings, acquirer)
        self._calls: dict[BankCall, Call] = {
            "authorize": acquirer.authorize,
            "capture": acquirer.capture,
            "void": acquirer.void,
            "refund": acquirer.refund,
            "reversal": acquirer.reverse,
            "increment": acquirer.increment,
            "inquire": acquirer.inquire,
        }
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
        await self._publish(await self._alone(request, record))

    async def _alone(self, request: AcquirerRequest, record: Delivered) -> Sequence[Record]:
        """What the request leads to, worked on while no copy of it is."""
        # Copies of one request wait for each other: two calls at once could charge twice.
        attempt = (request.attempt_id, request.look)
        while (earlier := self._under_way.get(attempt)) is not None:
            await asyncio.wait({earlier})
        under_way = asyncio.get_running_loop().create_future()
        self._under_way[attempt] = under_way
        try:
            return await self._worked_on(request, record)
        except RowRefused as error:
            log.critical("request refused", attempt=request.attempt_id, reason=str(error))
            return [self._dead(record, str(error))]
        finally:
            del self._under_way[attempt]
            under_way.set_result(None)

    async def _publish(self, outputs: Sequence[Record]) -> None:
        """Publish all, in this order. What fails is published again with all the others."""
        for published in [self._outputs.submit(output) for output in outputs]:
            await published

    async def _worked_on(self, request: AcquirerRequest, record: Delivered) -> Sequence[Record]:
        """The answer to publish, the one on record or else the bank's, and what the bank says
        unasked. Raises RowRefused when PostgreSQL will never take the attempt or its answer."""
        known = await self._note(request)
        reach("acquire.sent")
        answer, after_ms = known.answer, 0
        if answer is None:
            said = await self._ask(request, first=known.fresh)
            answer, after_ms = await self._keep(answer_to(request, said)), said.after_ms
        reach("acquire.answered")
        told = [self._told(answer, record, after_ms)]
        for number, unasked in enumerate(self._callbacks(request, answer), start=1):
            callback = answer_to(request, unasked.answer, number)
            told.append(self._told(callback, record, unasked.after_ms))
        return told

    def _callbacks(self, request: AcquirerRequest, answer: AcquirerAnswer) -> Sequence[Callback]:
        """What the bank says of its own accord. It is not stored: a request that comes again
        after a crash leads to the same."""
        try:
            said = list(self._acquirer.callbacks(request, said_in(answer)))[:CALLBACKS_MAX]
        except Exception as error:
            log.exception("callbacks failed", attempt=request.attempt_id, error=str(error))
            return ()
        return [callback for callback in said if callback_makes_sense(callback, request)]

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
        """The bank's answer. A call that was sent before without an answer on record is inquired
        first, since it may have moved money; only one that the bank never saw is sent again, with
        the same idempotency key (07 §6 row 32)."""
        if request.type != "inquire" and not first:
            inquiry = request.model_copy(update={"type": "inquire", "about": request.type})
            said = await self._bounded(self._acquirer.inquire, inquiry)
            if said.outcome != "not_found":
                return said
        return await self._bounded(self._calls[request.type], request)

    async def _bounded(self, call: Call, request: AcquirerRequest) -> Answer:
        """The call's answer, `unknown` when it fails, makes no sense or is late. A connector that
        does not let itself be cancelled is left behind; what it says then, nobody hears."""
        asked = asyncio.create_task(_heard(call, request))
        try:
            await asyncio.wait({asked}, timeout=self._settings.acquirer_timeout_ms / 1000)
        finally:
            late = not asked.done()
            asked.cancel()
        if late:
            log.warning("acquirer is late", attempt=request.attempt_id, call=request.type)
            return UNKNOWN
        return asked.result()

    def _told(self, answer: AcquirerAnswer, asked: Delivered, after_ms: int) -> Record:
        # The time of what it answers: an answer that is told again must look the same.
        time = header(asked.headers, "ce_time") or iso(asked.timestamp_ms)
        record = Record(
            topic=PAYMENT_COMMANDS.full_name(self._settings),
            partition=asked.partition,
            key=answer.payment_id.encode(),
            value=encode(answer),
            headers=command_headers(answer, answer.type, time),
        )
        at_ms = now_ms()
        return delayed(record, at_ms + after_ms, at_ms, self._settings)

    def _dead(self, record: Delivered, reason: str) -> Record:
        origin = record.as_record(ACQUIRER_REQUESTS.full_name(self._settings))
        return dead_letter(ACQUIRER_REQUESTS, self._settings, origin, record.offset, reason)


async def _heard(call: Call, request: AcquirerRequest) -> Answer:
    """What the bank said, or doubt. Whatever a connector raises or makes up is an answer."""
    try:
        said = await call(request)
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
        log.warning("acquirer failed", attempt=request.attempt_id, error=str(error))
        return UNKNOWN
    if not makes_sense(said, request):
        log.error("acquirer makes no sense", attempt=request.attempt_id, said=repr(said)[:200])
        return UNKNOWN
    return said
