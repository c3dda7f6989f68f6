"""The delay pump's own consumer: aiokafka, with its types kept in here."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition

from headgate.streams.bus import Record
from headgate.streams.settings import Settings

FETCH_WAIT_MS = 100
"""How long the broker may hold a fetch open; a partition resumed meanwhile waits for its end."""
FETCH_BYTES_MAX = 256 * 1024
"""Bytes that one fetch takes of a partition."""


class Assignable(Protocol):
    """What partitions are given to and taken from."""

    async def revoke(self) -> None: ...
    def assign(self, assigned: Iterable[TopicPartition]) -> None: ...


def create_consumer(settings: Settings) -> AIOKafkaConsumer:
    """The pump's consumer: it commits when told to, and comes back under its stable id."""
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        client_id="headgate-delay",
        group_id=settings.group("delay"),
        group_instance_id=(settings.instance_id("delay") if settings.static_membership else None),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=settings.session_timeout_ms,
        heartbeat_interval_ms=settings.session_timeout_ms // 6,
        rebalance_timeout_ms=settings.session_timeout_ms + settings.revoke_wait_ms,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        max_partition_fetch_bytes=FETCH_BYTES_MAX,
    )


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Tells the pump which partitions it has."""

    def __init__(self, pump: Assignable) -> None:
        self._pump = pump

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Called before the group is joined anew."""
        await self._pump.revoke()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Called when the group has agreed."""
        self._pump.assign(assigned)


async def starts_of(
    consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, tuple[int, str]]:
    """Where the group stands, with the note that its commit carries: its commit, or the oldest
    record that there is."""
    # The client's `committed` leaves out the note.
    committed = await consumer._coordinator.fetch_committed_offsets(partitions)  # noqa: SLF001
    found = {part: (commit.offset, commit.metadata) for part, commit in committed.items()}
    without = [part for part in partitions if part not in found]
    if without:
        oldest = await consumer.beginning_offsets(without)
        found |= {part: (offset, "") for part, offset in oldest.items()}
    return found


def record_of(message: ConsumerRecord) -> Record:
    """The record as it came."""
    return Record(
        topic=message.topic,
        partition=message.partition,
        key=message.key or b"",
        value=message.value,
        headers=tuple(message.headers),
        timestamp_ms=message.timestamp,
    )
