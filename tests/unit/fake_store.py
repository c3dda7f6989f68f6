"""PostgreSQL, Kafka and the hot table as settle sees them, in memory and with the same rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from uuid import uuid4

from headgate.agents.settle import Settle
from headgate.streams.bus import Bus, Position, Record
from headgate.streams.codec import Headers, decode, encode
from headgate.streams.engine.batch import Batch
from headgate.streams.engine.claims import Claim
from headgate.streams.engine.intake import Delivered
from headgate.streams.errors import ClaimLost
from headgate.streams.facts import FACT, Fact
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables.decided import Decided
from headgate.tables.open_payments import OpenPayments
from headgate.tables.payment import Payment
from headgate.tables.postgres import RowRefused
from headgate.tables.replies import Replies
from headgate.tables.store import Conflict, Operation, PaymentStore
from tests.unit.builders import AT_MS
from tests.unit.fakes import event


class FakePaymentStore(PaymentStore):
    """Payments, facts and operations; settles all or nothing, as the statement does (08 R1)."""

    def __init__(self) -> None:
        self.rows: dict[str, Payment] = {}
        self.facts: dict[tuple[str, int], bytes] = {}
        self.known: dict[str, Operation] = {}
        self.tokens: dict[int, object] = {}
        self.positions: dict[int, int] = {}
        self.rounds: list[list[str]] = []
        self.poison: set[str] = set()
        """Order ids that PostgreSQL refuses to take."""
        self.before_settle: Callable[[], None] | None = None
        self.loads: list[set[str]] = []

    async def settle(
        self,
        claims: Mapping[int, Claim],
        positions: Mapping[int, int],
        decided: Sequence[Decided],
    ) -> Conflict:
        """Compare and set."""
        await asyncio.sleep(0)
        if self.before_settle is not None:
            act, self.before_settle = self.before_settle, None
            act()
        self.rounds.append([item.command.command_id for item in decided])
        if any(self.tokens.get(p, claim.token) != claim.token for p, claim in claims.items()):
            raise ClaimLost("taken over")
        self._refuse(decided)
        conflict = self._conflict(decided)
        if not conflict:
            self._write(positions, decided)
        return conflict

    def _refuse(self, decided: Sequence[Decided]) -> None:
        for item in decided:
            if item.decision.payment and item.decision.payment.order_id in self.poison:
                raise RowRefused("PostgreSQL refuses a row: CharacterNotInRepertoireError (22021)")

    def _conflict(self, decided: Sequence[Decided]) -> Conflict:
        bases: dict[str, int] = {}
        for item in decided:
            if item.decision.payment is not None:
                bases.setdefault(item.decision.payment.id, item.base_version)
        stale = {id_ for id_, base in bases.items() if self.version(id_) != base}
        known = {i.command.command_id for i in decided if i.command.command_id in self.known}
        return Conflict(frozenset(stale), frozenset(known))

    def _write(self, positions: Mapping[int, int], decided: Sequence[Decided]) -> None:
        self.positions.update(positions)
        for item in decided:
            payment, facts = item.decision.payment, item.decision.facts
            assert payment is not None
            self.rows[payment.id] = payment
            for fact, value in zip(facts, item.fact_bytes, strict=True):
                assert (payment.id, fact.sequence) not in self.facts
                self.facts[payment.id, fact.sequence] = value
            self.known[item.command.command_id] = Operation(
                item.command.command_id,
                payment.id,
                item.partition,
                item.offset,
                facts[0].sequence if facts else 1,
                facts[-1].sequence if facts else 0,
                item.decision.requests,
                item.refusal,
                item.fingerprint,
                item.request_id,
                item.result,
            )

    def version(self, payment_id: str) -> int:
        """The stored version, 0 for none."""
        return self.rows[payment_id].version if payment_id in self.rows else 0

    async def payments(self, payment_ids: Iterable[str]) -> dict[str, Payment]:
        """Those that exist."""
        asked = set(payment_ids)
        self.loads.append(asked)
        return {id_: self.rows[id_] for id_ in asked if id_ in self.rows}

    async def operations(self, command_ids: Iterable[str]) -> dict[str, Operation]:
        """Those that were decided."""
        return {id_: self.known[id_] for id_ in command_ids if id_ in self.known}

    async def facts_of(self, operations: Sequence[Operation]) -> list[tuple[str, bytes]]:
        """In order per payment."""
        return [
            (operation.payment_id, self.facts[operation.payment_id, sequence])
            for operation in sorted(operations, key=lambda o: (o.payment_id, o.first_sequence))
            for sequence in range(operation.first_sequence, operation.last_sequence + 1)
        ]


class FakeBus(Bus):
    """A log that keeps what was published; `failures` are raised first, one per publish."""

    def __init__(self) -> None:
        self.published: list[Record] = []
        self.failures: list[BaseException] = []

    async def publish(self, records: Sequence[Record]) -> list[Position]:
        """Append, or fail as told."""
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        self.published += records
        return [Position(r.topic, r.partition, n) for n, r in enumerate(records)]

    async def publish_until_acked(self, records: Sequence[Record]) -> list[Position]:
        """The same."""
        return await self.publish(records)

    def on(self, topic: str) -> list[Record]:
        """What is on one topic, and from now on no longer."""
        found = [record for record in self.published if record.topic == topic]
        self.published = [record for record in self.published if record.topic != topic]
        return found


class FakeTable:
    """The durable table behind the hot state."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        """What is there."""
        return self.data.get(key)

    def put(self, partition: int, key: bytes, value: bytes, headers: Headers = ()) -> Record:
        """Set it, and the record for the changelog."""
        self.data[key] = value
        return Record("changelog", partition, key, value, headers)

    def delete(self, partition: int, key: bytes, headers: Headers = ()) -> Record:
        """Remove it, and the record for the changelog."""
        self.data.pop(key, None)
        return Record("changelog", partition, key, None, headers)


class Stage:
    """Settle between its fakes. Commands get offsets in the order in which they are handed in."""

    def __init__(self, store: FakePaymentStore | None = None) -> None:
        self.store = store or FakePaymentStore()
        self.bus, self.table = FakeBus(), FakeTable()
        self.hot = OpenPayments(self.table)
        self.settle = Settle(Settings(), self.store, self.bus, self.hot, Replies(Settings()))
        self.claim = Claim(uuid4(), 0, 0)

    def batch(self, *values: object, at: int = 0) -> Batch:
        """A batch of commands (or raw bytes) from offset `at` on, in partition 0."""
        records = [
            Delivered(
                topic=PAYMENT_COMMANDS.name,
                partition=0,
                offset=at + number,
                key=b"key",
                value=value if isinstance(value, bytes) else encode(value),  # type: ignore[arg-type]
                headers={},
                timestamp_ms=AT_MS + at + number,
                event=event(at + number),
            )
            for number, value in enumerate(values)
        ]
        return Batch(records, {0: self.claim})

    async def hand(self, *values: object, at: int = 0) -> None:
        """Settle such a batch."""
        await self.settle.handle(self.batch(*values, at=at))


def facts(records: list[Record]) -> list[Fact]:
    """What these records say."""
    return [decode(FACT, record.value) for record in records]


def told(stage: Stage) -> list[tuple[str, int]]:
    """(payment, sequence) of what came onto `payments.facts` since the last look."""
    return [(f.data.payment.id, f.sequence) for f in facts(stage.bus.on("payments.facts"))]


def headers(record: Record) -> dict[str, str]:
    """A record's headers as text."""
    return {name: value.decode() for name, value in record.headers}
