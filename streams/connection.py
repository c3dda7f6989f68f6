"""What the bus is made of: a record, its position, one producer's session and one reader."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    ProducerClosed,
    UnknownTopicOrPartitionError,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import OffsetAndTimestamp, RecordMetadata

from headgate.streams.errors import LogUnavailable, RecordTooLarge

BATCH_BYTES_MAX = 1 << 20
"""Longest produce batch; Kafka's default `max.message.bytes` is 12 bytes more than this."""
CLOSE_WAIT_S = 2.0
"""How long a producer that is being replaced may take to finish what is in flight."""
AWAY = (KafkaError, OSError, TimeoutError)
"""What aiokafka raises when the broker is away."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record to publish. `value` None is a tombstone; `timestamp_ms` None is now."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record is on the log; reads `payments.commands/3@18422`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"


class Session:
    """One idempotent producer from its connect to its first failure.

    Within a session the broker drops repeated sends by their sequence number, so nothing is doubled
    or reordered while aiokafka retries. A batch that failed has used up its sequence number: every
    later batch of its partition would be refused, so the whole session ends.
    """

    def __init__(self, bootstrap: str, *, timeout_ms: int, client_id: str) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            client_id=client_id,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=BATCH_BYTES_MAX,
            request_timeout_ms=timeout_ms,
        )
        self.broken: KafkaError | None = None
        self.probed_at: float | None = None
        """When the broker first answered a probe after the last ack, if it has."""

    async def open(self) -> None:
        """Connect and fetch a producer id; raises one of `AWAY`."""
        try:
            await self._producer.start()
        except BaseException:
            await self.close()
            raise

    async def deliver(self, records: Sequence[Record]) -> list[Position]:
        """Append the records, one batch per (topic, partition), and await every ack."""
        indexes: dict[tuple[str, int], list[int]] = {}
        for index, record in enumerate(records):
            indexes.setdefault((record.topic, record.partition), []).append(index)
        batches = [self._batches([records[i] for i in group]) for group in indexes.values()]
        outcomes = await asyncio.gather(
            *(
                self._append(topic, partition, parts)
                for (topic, partition), parts in zip(indexes, batches, strict=True)
            ),
            return_exceptions=True,
        )
        positions: dict[int, Position] = {}
        for group, outcome in zip(indexes.values(), outcomes, strict=True):
            if isinstance(outcome, BaseException):
                raise outcome
            positions.update(zip(group, outcome, strict=True))
        return [positions[index] for index in range(len(records))]

    def _batches(self, records: Sequence[Record]) -> list[BatchBuilder]:
        """The records of one partition, in order, in as few batches as they fit into."""
        batches = [self._producer.create_batch()]
        for record in records:
            if not appended(batches[-1], record):
                batches.append(self._producer.create_batch())
                appended(batches[-1], record)
            # The first record of a batch is taken whatever its size.
            if batches[-1].size() > BATCH_BYTES_MAX:
                raise RecordTooLarge(
                    f"a record of {len(record.value or b'')} bytes for {record.topic}"
                    f" does not fit into a batch of {BATCH_BYTES_MAX} bytes"
                )
        for batch in batches:
            batch.close()
        return batches

    async def _append(
        self, topic: str, partition: int, batches: Sequence[BatchBuilder]
    ) -> list[Position]:
        """Where the records of one partition are. Each batch waits for the ack of the one before
        it, so that a failure cannot leave a later record before an earlier one."""
        positions: list[Position] = []
        for batch in batches:
            future = await self._queue(topic, partition, batch)
            try:
                metadata = await future
            except KafkaError as error:
                self.broken = error
                if isinstance(error, MessageSizeTooLargeError):
                    raise RecordTooLarge(
                        f"{topic} refused a batch of {batch.size()} bytes:"
                        f" set its max.message.bytes to at least {BATCH_BYTES_MAX + 12}"
                    ) from error
                raise LogUnavailable(f"{topic}/{partition} was not written: {error!r}") from error
            if metadata.offset < 0:
                raise LogUnavailable(f"{topic}/{partition} was written, but it is not known where")
            self.probed_at = None
            positions += (
                Position(topic, partition, metadata.offset + index)
                for index in range(batch.record_count())
            )
        return positions

    async def _queue(
        self, topic: str, partition: int, batch: BatchBuilder
    ) -> asyncio.Future[RecordMetadata]:
        try:
            if partition not in await self._producer.partitions_for(topic):
                raise LogUnavailable(f"{topic} has no partition {partition}")
            future: asyncio.Future[RecordMetadata] = await self._producer.send_batch(
                batch, topic, partition=partition
            )
        except (KafkaTimeoutError, UnknownTopicOrPartitionError) as error:
            raise LogUnavailable(f"{topic}/{partition} cannot be written: {error!r}") from error
        except KafkaError as error:
            self.broken = error
            raise LogUnavailable(f"the producer has failed: {error!r}") from error
        return future

    async def close(self) -> None:
        """Finish what can be finished within `CLOSE_WAIT_S`; fail the rest."""
        with contextlib.suppress(*AWAY):
            async with asyncio.timeout(CLOSE_WAIT_S):
                await self._producer.stop()
        # stop() waits for every ack. Given up, it leaves its connections, its task and those
        # who wait; aiokafka has no public way to end them.
        sender = self._producer._sender.sender_task  # noqa: SLF001
        if sender is not None and not sender.done():
            sender.cancel()
            await self._producer.client.close()
            await asyncio.wait({sender}, timeout=CLOSE_WAIT_S)
        accumulator = self._producer._message_accumulator  # noqa: SLF001
        batches = [*accumulator._pending_batches, *itertools.chain(*accumulator._batches.values())]  # noqa: SLF001
        accumulator.fail_all(ProducerClosed("the producer was replaced"))
        for batch in batches:  # asked for, so that nobody complains of exceptions never retrieved
            for future in (batch.future, batch._drain_waiter):  # noqa: SLF001
                if future.done() and not future.cancelled():
                    future.exception()


def appended(batch: BatchBuilder, record: Record) -> bool:
    """Whether the record still fitted into the batch."""
    metadata = batch.append(
        timestamp=record.timestamp_ms,
        key=record.key,
        value=record.value,
        headers=list(record.headers),
    )
    return metadata is not None


class Reader:
    """A connection that reads where topics end, opened when needed and anew after a failure."""

    def __init__(self, bootstrap: str, *, timeout_ms: int, client_id: str) -> None:
        self._options = {
            "bootstrap_servers": bootstrap,
            "client_id": client_id,
            "request_timeout_ms": timeout_ms,
        }
        self._consumer: AIOKafkaConsumer | None = None
        self._opening = asyncio.Lock()

    async def ping(self) -> None:
        """Ask for the topics; raises one of `AWAY`."""
        consumer = await self._open()
        try:
            await consumer.topics()
        except BaseException:
            await self.close()
            raise

    async def ends(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """The offset after the last record of each partition; raises one of `AWAY`."""
        consumer = await self._open()
        try:
            ends = await consumer.end_offsets([TopicPartition(topic, p) for p in partitions])
        except BaseException:
            await self.close()
            raise
        return {target.partition: offset for target, offset in ends.items()}

    async def since(self, topic: str, partitions: Sequence[int], at_ms: int) -> dict[int, int]:
        """Each partition's first record of this time or a later one; raises one of `AWAY`."""
        consumer = await self._open()
        targets = [TopicPartition(topic, partition) for partition in partitions]
        try:
            starts = await consumer.beginning_offsets(targets)
            ends = await consumer.end_offsets(targets)
            found = await consumer.offsets_for_times(dict.fromkeys(targets, at_ms))
        except BaseException:
            await self.close()
            raise
        return {
            target.partition: _first(starts[target], ends[target], found.get(target))
            for target in targets
        }

    async def _open(self) -> AIOKafkaConsumer:
        async with self._opening:
            if self._consumer is None:
                consumer = AIOKafkaConsumer(**self._options)
                try:
                    await consumer.start()
                except BaseException:
                    await consumer.stop()
                    raise
                self._consumer = consumer
            return self._consumer

    async def close(self) -> None:
        """Close the connection; the next question opens another."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()


def _first(start: int, end: int, found: OffsetAndTimestamp | None) -> int:
    """0 when the oldest record that is kept is late enough already: earlier ones may have been."""
    if found is None:
        return end
    return 0 if found.offset <= start else found.offset
