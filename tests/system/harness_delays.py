"""Records that go through the delay topics, the pumps that let them out, and when they arrived."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import AIOKafkaConsumer

from headgate.embedded.stack import Stack
from headgate.streams import ids
from headgate.streams.bus import Bus, Record
from headgate.streams.clock import now_ms
from headgate.streams.delays import delayed
from headgate.streams.deliveries import DeliveryWanted
from headgate.streams.settings import Settings
from headgate.streams.topics import WEBHOOKS_READY
from headgate.tables.deliveries import ready, scheduled_token

log = logging.getLogger(__name__)
REPEATS_MAX = 0.005
"""The share of records that may reach their target twice, whatever dies."""
AT_ONCE = 50
ENDS_WITHIN_S = 15


@dataclass(frozen=True)
class Shop:
    """Whose webhooks wait."""

    merchant_id: str = "mer_delayed"
    endpoint_id: str = "ep_delayed"


def retry(settings: Settings, shop: Shop, number: int, due_ms: int) -> Record:
    """The second attempt of the delivery of this number; the body tells when it is due."""
    event_id = f"evt_{number}"
    delivery_id = ids.delivery_id(event_id, shop.endpoint_id)
    wanted = DeliveryWanted(
        delivery_id=delivery_id,
        event_id=event_id,
        endpoint_id=shop.endpoint_id,
        merchant_id=shop.merchant_id,
        payment_id=f"pay_{number}",
        mode="test",
        type="payment.success",
        attempt=2,
        token=scheduled_token(delivery_id, 2),
        body=json.dumps({"id": event_id, "due_ms": due_ms}),
        created_at_ms=now_ms(),
    )
    return ready(wanted, settings)


@dataclass
class Arrivals:
    """What reached the target, and when: not before and append time of each record by its event."""

    times: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def early(self) -> list[str]:
        """Records that left before their time, by the clock of the one machine."""
        return [event for event, seen in self.times.items() if any(at < due for due, at in seen)]

    def repeats(self) -> int:
        """Records beyond the first of each event."""
        return sum(len(seen) - 1 for seen in self.times.values())

    def lateness_ms(self) -> list[int]:
        """By how much the first of each event was late, in ascending order."""
        return sorted(seen[0][1] - seen[0][0] for seen in self.times.values())

    def tell(self, count: int) -> None:
        """Write how it went into the log of the test."""
        late = self.lateness_ms()
        log.info(
            "arrived %s of %s, repeated %s, early %s, late p50 %s ms, p99 %s ms, at most %s ms",
            *(len(late), count, self.repeats(), len(self.early())),
            *(late[len(late) // 2], late[len(late) * 99 // 100], late[-1]),
        )

    def check(self, count: int) -> None:
        """Nothing lost, nothing early, few repeats (08 R26)."""
        assert len(self.times) == count
        assert self.early() == []
        assert self.repeats() <= count * REPEATS_MAX


async def _watch(settings: Settings, arrivals: Arrivals) -> None:
    """Note everything that reaches the target."""
    consumer = AIOKafkaConsumer(
        WEBHOOKS_READY.full_name(settings),
        bootstrap_servers=settings.kafka,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
    )
    await consumer.start()
    try:
        async for message in consumer:
            body = json.loads(json.loads(message.value)["body"])
            seen = arrivals.times.setdefault(body["id"], [])
            seen.append((body["due_ms"], message.timestamp))
    finally:
        await consumer.stop()


@contextlib.asynccontextmanager
async def watching(settings: Settings) -> AsyncIterator[Arrivals]:
    """What arrives while the block runs."""
    arrivals = Arrivals()
    task = asyncio.create_task(_watch(settings, arrivals))
    try:
        yield arrivals
    finally:
        task.cancel()
        await asyncio.wait({task})


@dataclass(frozen=True)
class Load:
    """So many delayed records, evenly over a time, each for one of the waits."""

    count: int
    seconds: float
    waits_ms: Sequence[int]
    shops: Sequence[Shop] = (Shop("mer_1", "ep_1"), Shop("mer_2", "ep_2"), Shop("mer_3", "ep_3"))

    async def write(self, settings: Settings) -> None:
        """Write them."""
        bus, rng, began = Bus.of(settings, "load"), random.Random(4), time.monotonic()  # noqa: S311
        await bus.start()
        try:
            for begin in range(0, self.count, AT_ONCE):
                at_ms, records = now_ms(), []
                for number in range(begin, min(begin + AT_ONCE, self.count)):
                    due_ms = at_ms + rng.choice(self.waits_ms)
                    record = retry(settings, self.shops[number % len(self.shops)], number, due_ms)
                    records.append(delayed(record, due_ms, at_ms, settings))
                await bus.publish_until_acked(records)
                due = began + self.seconds * (begin + AT_ONCE) / self.count
                await asyncio.sleep(max(0, due - time.monotonic()))
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

    def runs(self, slot: int) -> bool:
        """Whether the slot has a pump."""
        return slot in self._running

    def start(self, slot: int) -> None:
        """Start the pump of a slot."""
        self._running[slot] = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("delay_pump_alone.py")],
            env={**self._environment, "HEADGATE_INSTANCE_SLOT": str(slot)},
        )

    def send(self, slot: int, signum: signal.Signals) -> None:
        """Send a signal to the pump of a slot."""
        self._running[slot].send_signal(signum)

    async def end(self, slot: int, signum: signal.Signals) -> None:
        """End the pump of a slot."""
        self.send(slot, signum)
        await asyncio.to_thread(self._running[slot].wait, ENDS_WITHIN_S)
        del self._running[slot]

    async def again(self, slot: int, signum: signal.Signals) -> None:
        """End the pump of a slot and start it again, as the supervisor would."""
        await self.end(slot, signum)
        self.start(slot)

    def stop(self) -> None:
        """Kill them all."""
        for process in self._running.values():
            process.kill()
            process.wait(ENDS_WITHIN_S)
        self._running.clear()


@contextlib.contextmanager
def pumping(stack: Stack, settings: Settings, slots: int, *, static: bool) -> Iterator[Pumps]:
    """Pump processes that end with the block."""
    pumps = Pumps(stack, settings, static=static)
    try:
        for slot in range(slots):
            pumps.start(slot)
        yield pumps
    finally:
        pumps.stop()


async def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until the condition holds; the assertions that follow say when it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def run(
    settings: Settings, load: Load, havoc: Callable[[], Awaitable[None]], within_s: float = 45
) -> Arrivals:
    """Load, with havoc in between; what arrived."""
    async with watching(settings) as arrivals:
        loading = asyncio.create_task(load.write(settings))
        await havoc()
        await loading
        await until(lambda: len(arrivals.times) == load.count, within_s)
        await asyncio.sleep(1)  # for repeats, which nothing announces
    arrivals.tell(load.count)
    return arrivals
