"""Writers whose clocks are ten minutes off: nothing leaves early, and nobody else has to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from headgate.embedded.stack import Stack
from headgate.streams.bus import Bus, Record
from headgate.streams.clock import now_ms
from headgate.streams.declare import declare
from headgate.streams.delays import delayed
from headgate.streams.settings import Settings
from headgate.streams.topics import TIERS
from tests.system.harness_delays import Shop, pumping, retry, until, watching
from tests.system.harness_log import reading
from tests.system.harness_place import holds

pytestmark = [pytest.mark.system, pytest.mark.chaos, pytest.mark.timeout(120)]

SKEW_MS = 600_000
ROUNDS = 100
WAIT_MS = 2000
FIRST, LONGER = TIERS[0].topic, TIERS[4].topic
"""What all enter, 1 s, and where those go on to that say ten minutes too much: 5 m."""


def written(settings: Settings, number: int, skew_ms: int) -> Record:
    """A retry in two seconds, by the clock of a writer that is off by so much."""
    clock_ms = now_ms() + skew_ms
    record = retry(settings, Shop(), number, clock_ms + WAIT_MS)
    on_its_way = delayed(record, clock_ms + WAIT_MS, clock_ms, settings)
    assert on_its_way.topic == FIRST.full_name(settings)
    return Record(
        on_its_way.topic,
        number // 3 % settings.partitions,
        on_its_way.key,
        on_its_way.value,
        on_its_way.headers,
        timestamp_ms=clock_ms,
    )


async def committed_to_the_end(settings: Settings) -> bool:
    """Whether the pump has finished with all of the first tier."""
    topic = FIRST.full_name(settings)
    parts = [TopicPartition(topic, number) for number in range(settings.partitions)]
    bus, admin = Bus.of(settings, "ends"), AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await asyncio.gather(bus.start(), admin.start())
    try:
        ends = await bus.end_offsets(topic, range(settings.partitions))
        found = await admin.list_consumer_group_offsets(settings.group("delay"), partitions=parts)
        return all(found[part].offset == ends[part.partition] for part in parts)
    finally:
        await asyncio.gather(bus.stop(), admin.close())


def numbers(events: Collection[str]) -> set[int]:
    """Which ones they are."""
    return {int(event.removeprefix("evt_")) for event in events}


async def test_a_writer_with_a_wrong_clock_is_neither_early_nor_in_the_way_04_9_3(
    stack: Stack, live_settings: Settings
) -> None:
    """Slow ones say too little and leave at once, never before what they say; fast ones wait
    elsewhere for what they say; right ones notice neither, though all share the partitions."""
    await declare(live_settings)
    skews = (0, -SKEW_MS, SKEW_MS)
    right, slow, fast = (set(range(place, 3 * ROUNDS, 3)) for place in range(3))
    bus = Bus.of(live_settings, "skewed")
    await bus.start()
    async with watching(live_settings) as arrivals, reading(live_settings, LONGER) as longer:
        with pumping(stack, live_settings, 1, static=True):
            for number in range(3 * ROUNDS):
                skewed = written(live_settings, number, skews[number % 3])
                await bus.publish_until_acked([skewed])
            await until(lambda: numbers(arrivals.times) >= right | slow, 60)
            await until(lambda: len(longer.of(LONGER)) >= ROUNDS, 60)
            assert await holds(lambda: committed_to_the_end(live_settings), 30)
    await bus.stop()
    assert numbers(arrivals.times) == right | slow
    assert arrivals.early() == []
    assert arrivals.repeats() == 0
    assert len(longer.of(LONGER)) == len(fast)
