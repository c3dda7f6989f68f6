"""Settle: commands are decided, stored with their facts in one statement, then told to the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from headgate.streams.bus import Bus, Record
from headgate.streams.clock import iso
from headgate.streams.codec import dead_letter, decode, encode, fact_headers, outgoing_headers
from headgate.streams.commands import COMMAND, Command, CreatePayment, Timer
from headgate.streams.crashpoints import reach
from headgate.streams.delays import delayed
from headgate.streams.engine.batch import Batch
from headgate.streams.engine.claims import Claim
from headgate.streams.engine.intake import Delivered
from headgate.streams.errors import CannotDecode, StoreUnavailable
from headgate.streams.facts import FACT
from headgate.streams.settings import Settings
from headgate.streams.topics import ACQUIRER_REQUESTS, PAYMENT_COMMANDS, PAYMENT_FACTS
from headgate.tables.decided import Decided
from headgate.tables.isolation import isolated
from headgate.tables.open_payments import OpenPayments
from headgate.tables.payment import Payment
from headgate.tables.payments import APPROVED_TOO_LATE, Outgoing, decide
from headgate.tables.replies import Replies
from headgate.tables.store import PaymentStore

log = structlog.get_logger(__name__)

ROUNDS_MAX = 10
"""How often one batch is decided anew; every round removes what stood against the last one."""
REVERSE_IT = "approved after it had failed: settle it with the bank"
"""The reason of such an approval's dead letter. Of a payment it is reversed by itself; of a
capture, void or refund only a person can tell what is right."""


@dataclass(frozen=True, slots=True)
class Read:
    """A command and the record that it came in."""

    record: Delivered
    command: Command


@dataclass(slots=True)
class Work:
    """A batch on its way: what is still to be decided, what was decided before, what is dead."""

    pending: list[Read] = field(default_factory=list)
    repeated: list[Read] = field(default_factory=list)
    dead: list[Record] = field(default_factory=list)
    loaded: dict[str, Payment | None] = field(default_factory=dict)


class Settle:
    """Handler of the settle loop. Handling a command twice equals handling it once, by
    `command_id`; a payment's version guards against deciding from a stale state."""

    def __init__(
        self,
        settings: Settings,
        store: PaymentStore,
        bus: Bus,
        hot: OpenPayments,
        replies: Replies,
    ) -> None:
        self._settings = settings
        self._store = store
        self._bus = bus
        self._hot = hot
        self._replies = replies

    async def handle(self, batch: Batch) -> None:
        """Decide, store, publish. Raises Unavailable (try the same batch again), ClaimLost."""
        await isolated(batch, self._settle, self._refuse)

    async def _refuse(self, batch: Batch, reason: str) -> None:
        """08 R6: the only record of the batch is one that PostgreSQL will never take."""
        log.error("row refused", offset=batch.records[0].offset, reason=reason)
        await self._store.settle(batch.claims, batch.positions(), [])
        await self._bus.publish_until_acked([self._dead(batch.records[0], reason)])

    async def _settle(self, batch: Batch) -> None:
        work = self._read(batch.records)
        await self._load(work)
        decided = await self._store_all(work, batch.claims, batch.positions())
        reach("settle.stored")
        self._replies.tell((item.command, item) for item in decided)
        # What was stored earlier is told first: facts stay in order per payment (00 §6, 4).
        outputs = [
            *await self._told_again(work.repeated),
            *self._told(decided),
            *self._remembered(decided),
            *self._too_late(work.pending, decided),
            *work.dead,
        ]
        if outputs:
            await self._bus.publish_until_acked(outputs)
        reach("settle.published")

    def _read(self, records: Iterable[Delivered]) -> Work:
        work = Work()
        seen: set[str] = set()
        for record in records:
            try:
                read = Read(record, decode(COMMAND, record.value))
            except CannotDecode as error:
                work.dead.append(self._dead(record, str(error)))
                continue
            twice = read.command.command_id in seen
            (work.repeated if twice else work.pending).append(read)
            seen.add(read.command.command_id)
        return work

    async def _load(self, work: Work) -> None:
        """Read the payments that commands speak of and that are not hot. A create is taken to be
        new: the store says so if it is not, and that saves a query per batch."""
        missing = {
            read.command.payment_id
            for read in work.pending
            if not isinstance(read.command, CreatePayment)
            and self._hot.get(read.command.payment_id) is None
        }
        if missing:
            work.loaded.update(dict.fromkeys(missing))
            work.loaded.update(await self._store.payments(missing))

    async def _store_all(
        self, work: Work, claims: Mapping[int, Claim], positions: Mapping[int, int]
    ) -> list[Decided]:
        for _ in range(ROUNDS_MAX):
            decided = self._decide_all(work)
            conflict = await self._store.settle(claims, positions, decided)
            if not conflict:
                return decided
            log.info("deciding again", stale=len(conflict.stale), known=len(conflict.known))
            for read in [r for r in work.pending if r.command.command_id in conflict.known]:
                work.pending.remove(read)
                work.repeated.append(read)
            work.loaded.update(dict.fromkeys(conflict.stale))
            work.loaded.update(await self._store.payments(conflict.stale))
        raise StoreUnavailable(f"the batch was still contested after {ROUNDS_MAX} rounds")

    def _decide_all(self, work: Work) -> list[Decided]:
        """One decision per pending command, each from the state that the one before it left."""
        states: dict[str, Payment | None] = dict(work.loaded)
        decided: list[Decided] = []
        for read in list(work.pending):
            payment_id = read.command.payment_id
            before = states[payment_id] if payment_id in states else self._hot.get(payment_id)
            item = self._decide(read, before, work)
            if item is not None:
                states[payment_id] = item.decision.payment
                decided.append(item)
        return decided

    def _decide(self, read: Read, before: Payment | None, work: Work) -> Decided | None:
        """The decision, or None when the command went to the dead letters instead."""
        record = read.record
        try:
            decision = decide(before, read.command, record.timestamp_ms)
        except Exception as bug:  # a bug in a pure function must not stop its partition
            log.critical("quarantined", offset=record.offset, exc_info=True)
            work.pending.remove(read)
            work.dead.append(self._dead(record, f"quarantined: {type(bug).__name__}"))
            return None
        if decision.refusal and decision.refusal.code == "payment_unknown":
            # 08 R14: not a recorded refusal; the same command may be replayed later.
            work.pending.remove(read)
            work.dead.append(self._dead(record, f"no payment {read.command.payment_id}"))
            return None
        return Decided(
            command=read.command,
            partition=record.partition,
            offset=record.offset,
            at_ms=record.timestamp_ms,
            base_version=before.version if before else 0,
            decision=decision,
            fact_bytes=tuple(encode(fact) for fact in decision.facts),
        )

    def _told(self, decided: Sequence[Decided]) -> Iterable[Record]:
        for item in decided:
            for fact, value in zip(item.decision.facts, item.fact_bytes, strict=True):
                yield Record(
                    topic=PAYMENT_FACTS.full_name(self._settings),
                    partition=item.partition,
                    key=item.command.payment_id.encode(),
                    value=value,
                    headers=fact_headers(fact, item.command.merchant_id),
                    timestamp_ms=item.at_ms,
                )
            for outgoing in item.decision.requests:
                yield self._asked(outgoing, item.partition, item.at_ms)

    def _asked(self, outgoing: Outgoing, partition: int, at_ms: int) -> Record:
        """A call for acquire, or a reminder that comes back to settle."""
        reminder = isinstance(outgoing.request, Timer)
        topic = PAYMENT_COMMANDS if reminder else ACQUIRER_REQUESTS
        record = Record(
            topic=topic.full_name(self._settings),
            partition=partition,
            key=outgoing.request.payment_id.encode(),
            value=encode(outgoing.request),
            headers=outgoing_headers(outgoing.request, iso(at_ms)),
        )
        return delayed(record, outgoing.not_before_ms or 0, at_ms, self._settings)

    def _remembered(self, decided: Sequence[Decided]) -> list[Record]:
        """The changelog records of the payments in their last state of this batch."""
        last: dict[str, tuple[int, Payment]] = {}
        for item in decided:
            if item.decision.payment is not None:
                last[item.decision.payment.id] = (item.partition, item.decision.payment)
        return [
            record
            for partition, payment in last.values()
            for record in self._hot.keep(partition, [payment])
        ]

    async def _told_again(self, repeated: Sequence[Read]) -> list[Record]:
        """08 R3: a redelivered record tells its stored outputs again; a duplicate command at
        another offset tells nothing but its reply."""
        if not repeated:
            return []
        known = await self._store.operations(read.command.command_id for read in repeated)
        self._replies.tell(
            (read.command, known[read.command.command_id])
            for read in repeated
            if read.command.command_id in known
        )
        again = [
            (read, known[read.command.command_id])
            for read in repeated
            if read.command.command_id in known
            and known[read.command.command_id].offset == read.record.offset
            and known[read.command.command_id].partition == read.record.partition
        ]
        if not again:
            return []
        partitions = {read.command.payment_id: read.record.partition for read, _ in again}
        facts = await self._store.facts_of([operation for _, operation in again])
        told = [self._fact_again(partitions[payment_id], value) for payment_id, value in facts]
        told += [self._alarm(read) for read, one in again if one.refusal == APPROVED_TOO_LATE]
        return told + [
            self._asked(outgoing, read.record.partition, read.record.timestamp_ms)
            for read, operation in again
            for outgoing in operation.requests
        ]

    def _too_late(self, reads: Sequence[Read], decided: Sequence[Decided]) -> list[Record]:
        """The alarms about approvals of what has ended otherwise."""
        late = {
            item.command.command_id
            for item in decided
            if item.decision.refusal and item.decision.refusal.code == APPROVED_TOO_LATE
        }
        return [self._alarm(read) for read in reads if read.command.command_id in late]

    def _alarm(self, read: Read) -> Record:
        log.critical(REVERSE_IT, payment=read.command.payment_id, offset=read.record.offset)
        return self._dead(read.record, REVERSE_IT)

    def _fact_again(self, partition: int, value: bytes) -> Record:
        fact = decode(FACT, value)
        return Record(
            topic=PAYMENT_FACTS.full_name(self._settings),
            partition=partition,
            key=fact.data.payment.id.encode(),
            value=value,
            headers=fact_headers(fact, fact.data.payment.merchant_id),
        )

    def _dead(self, record: Delivered, reason: str) -> Record:
        origin = record.as_record(PAYMENT_COMMANDS.full_name(self._settings))
        return dead_letter(PAYMENT_COMMANDS, self._settings, origin, record.offset, reason)
