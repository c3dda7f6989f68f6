"""The delay pump on the real broker: nothing lost, nothing early, few repeats, whatever dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from headgate.embedded.stack import Stack
from headgate.streams.bus import Bus, Record
from headgate.streams.clock import now_ms
from headgate.streams.declare import declare
from headgate.streams.delays import delayed
from headgate.streams.settings import Settings
from headgate.streams.topics import WEBHOOKS_READY

pytestmark = [pytest.mark.system, pytest.mark.chaos, pytest.mark.timeout(180)]

log = logging.getLogger(__name__)
REPEATS_MAX = 0.005
WAITS_MS = (1000, 1500, 2500, 5000, 5400)


@dataclass
class Arrivals:
    """What reached the target, and when: not before and append time of each record by its key."""

    times: dict[bytes, list[tuple[int, int]]] = field(default_factory=dict)

    def early(self) -> list[bytes]:
        """Records that left before their time, by the clock of the one machine."""
        return [key for key, seen in self.times.items() if any(at < due for due, at in seen)]

    def repeats(self) -> int:
        """Records beyond the first of each key."""
        return sum(len(seen) - 1 for seen in self.times.values())

    def lateness_ms(self) -> list[int]:
        """By how much the first of each key was late, in ascending order."""
        return sorted(seen[0][1] - seen[0][0] for seen in self.times.values())


async def watch(settings: Settings, arrivals: Arrivals) -> None:
    """Note everything that reaches the target. The value says when it was due."""
    consumer = AIOKafkaConsumer(
        WEBHOOKS_READY.full_name(settings),
        bootstrap_servers=settings.kafka,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
    )
    await consumer.start()
    try:
        async for message in consumer:
            seen = arrivals.times.setdefault(message.key, [])
            seen.append((int(message.value), message.timestamp))
    finally:
        await consumer.stop()


@contextlib.asynccontextmanager
async def watching(settings: Settings) -> AsyncIterator[Arrivals]:
    """What arrives while the block runs."""
    arrivals = Arrivals()
    task = asyncio.create_task(watch(settings, arrivals))
    try:
        yield arrivals
    finally:
        task.cancel()
        await asyncio.wait({task})


async def load(settings: Settings, count: int, seconds: float) -> None:
    """Write `count` delayed records, evenly over `seconds`."""
    bus, rng = Bus.of(settings, "load"), random.Random(4)  # noqa: S311
    await bus.start()
    try:
        for begin in range(0, count, 50):
            at_ms, records = now_ms(), []
            for number in range(begin, min(begin + 50, count)):
                due = at_ms + rng.choice(WAITS_MS)
                record = Record(
                    WEBHOOKS_READY.full_name(settings),
                    number % settings.partitions,
                    b"m%d" % number,
                    b"%d" % due,
                )
                records.append(delayed(record, due, at_ms, settings))
            await bus.publish_until_acked(records)
            await asyncio.sleep(seconds * 50 / count)
    finally:
        await bus.stop()


class Pumps:
    """Pump processes by slot, started again by hand."""

    def __init__(self, stack: Stack, settings: Settings, *, static: bool) -> None:
        self._environment = {
            **os.environ,
            **stack.environment(settings.namespace),
            "HEADGATE_PARTITIONS": str(settings.partitions),
            "HEADGATE_STATIC_MEMBERSHIP": str(static),
        }
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, slot: int) -> None:
        """Start the pump of a slot."""
        self._running[slot] = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("delay_pump_alone.py")],
            env={**self._environment, "HEADGATE_INSTANCE_SLOT": str(slot)},
        )

    def send(self, slot: int, signum: signal.Signals) -> None:
        """Send a signal to the pump of a slot."""
        self._running[slot].send_signal(signum)

    async def again(self, slot: int, signum: signal.Signals) -> None:
        """End the pump of a slot and start it again, as the supervisor would."""
        self.send(slot, signum)
        await asyncio.to_thread(self._running[slot].wait, 15)
        self.start(slot)

    def stop(self) -> None:
        """Kill them all."""
        for process in self._running.values():
            process.kill()
            process.wait(15)


@pytest.fixture
def pumps_of(stack: Stack, live_settings: Settings) -> Iterator[Callable[[bool], Pumps]]:
    """A way to have pump processes that end with the test."""
    made: list[Pumps] = []

    def make(static: bool) -> Pumps:
        made.append(Pumps(stack, live_settings, static=static))
        return made[-1]

    yield make
    for pumps in made:
        pumps.stop()


async def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until the condition holds; the assertions that follow say when it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def run(
    settings: Settings, count: int, seconds: float, havoc: Callable[[], Awaitable[None]]
) -> Arrivals:
    """Load, with havoc in between; what arrived."""
    async with watching(settings) as arrivals:
        loading = asyncio.create_task(load(settings, count, seconds))
        await havoc()
        await loading
        await until(lambda: len(arrivals.times) == count, 45)
        await asyncio.sleep(1)
    late = arrivals.lateness_ms()
    log.info(
        "arrived %s of %s, repeated %s, early %s, late p50 %s ms, p99 %s ms, at most %s ms",
        *(len(late), count, arrivals.repeats(), len(arrivals.early())),
        *(late[len(late) // 2], late[len(late) * 99 // 100], late[-1]),
    )
    return arrivals


@pytest.mark.parametrize(
    "static",
    [
        pytest.param(True, id="static"),
        pytest.param(False, id="dynamic", marks=pytest.mark.faults),
    ],
)
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
async def test_no_delayed_record_is_lost_or_early_when_pumps_die_08_r26(
    live_settings: Settings,
    pumps_of: Callable[[bool], Pumps],
    static: bool,
    signum: signal.Signals,
) -> None:
    await declare(live_settings)
    pumps, count = pumps_of(static), 3000
    for slot in range(2):
        pumps.start(slot)

    async def havoc() -> None:
        for turn in range(4):
            await asyncio.sleep(3)
            await pumps.again(turn % 2, signum)

    arrivals = await run(live_settings, count, 12, havoc)
    assert len(arrivals.times) == count
    assert arrivals.early() == []
    assert arrivals.repeats() <= count * REPEATS_MAX


async def test_a_frozen_pump_that_thaws_hands_off_nothing_that_others_have(
    live_settings: Settings, pumps_of: Callable[[bool], Pumps]
) -> None:
    await declare(live_settings)
    pumps, count = pumps_of(True), 2000
    for slot in range(2):
        pumps.start(slot)

    async def havoc() -> None:
        await asyncio.sleep(5)
        pumps.send(0, signal.SIGSTOP)
        await asyncio.sleep(10)
        pumps.send(0, signal.SIGCONT)
        await asyncio.sleep(2)

    arrivals = await run(live_settings, count, 14, havoc)
    assert len(arrivals.times) == count
    assert arrivals.early() == []
    assert arrivals.repeats() <= count * REPEATS_MAX
