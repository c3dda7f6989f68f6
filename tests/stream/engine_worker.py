"""A worker on our engine that does what its records say, for test_engine.py.

Started with one argument, JSON: bootstrap, group, topic, and settings to change. A record is
`put KEY VALUE`, `delete KEY`, `get KEY`, `size`, `hold` (never acknowledged) or anything else,
which is only done. Prints `done PARTITION RECORD`, what was asked for, and how it looks to the
watchdog.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Collection
from typing import Any

from faust.types import TP

from headgate.streams.bus import Bus
from headgate.streams.engine.app import create_app, raw_topic, run
from headgate.streams.engine.bundle import Taken, unbundled
from headgate.streams.engine.table import DurableTable
from headgate.streams.engine.watchdog import complaint
from headgate.streams.settings import Settings

ORDER: dict[str, Any] = json.loads(sys.argv[1])

settings = Settings(
    **{
        "kafka": ORDER["bootstrap"],
        "namespace": ORDER["group"],
        "partitions": ORDER.get("partitions", 1),
        "commit_interval_ms": 100,
        "session_timeout_ms": 2000,
        "fetch_wait_ms": 10,
        "static_membership": False,
        **ORDER.get("settings", {}),
    }
)
app = create_app("settle", settings)
table = DurableTable(app, "state", settings) if ORDER.get("table") else None
bus = Bus(settings.kafka, timeout_ms=1000, retry_backoff_ms=20, retry_backoff_max_ms=200)
arrived: asyncio.Queue[Taken] = asyncio.Queue()
app.bundled.add(ORDER["topic"])
if ORDER.get("waiting_for"):
    app.waiting_for = lambda: str(ORDER["waiting_for"])


def say(*words: object) -> None:
    """One line to the test."""
    print(*words, flush=True)  # noqa: T201


async def obey(order: list[str], partition: int) -> None:
    """Do what a record says."""
    match order:
        case ["put", key, value] if table is not None:
            positions = await bus.publish([table.put(partition, key.encode(), value.encode())])
            table.acked(positions)
        case ["delete", key] if table is not None:
            await bus.publish([table.delete(partition, key.encode())])
        case ["get", key] if table is not None:
            say("value", key, (table.get(key.encode()) or b"none").decode())
        case ["size"] if table is not None:
            say("size", table.size())
        case _:
            pass


@app.agent(raw_topic(app, ORDER["topic"]))
async def take_in(stream: Any) -> None:
    """Only take in: what follows is no stream iteration (03 §2.1 L17)."""
    async for taken in unbundled(stream, app.consumer.ack):
        await arrived.put(taken)


async def work() -> None:
    """Obey, then acknowledge."""
    await bus.start()
    while True:
        taken = await arrived.get()
        text = (taken.message.value or b"").decode()
        if text == "hold":
            say("holding")
            continue
        await obey(text.split(), taken.message.partition)
        taken.ack()
        say("done", taken.message.partition, text)


async def assigned(_: object, assigned: Collection[TP], **__: object) -> None:
    """Tell the test what this worker has."""
    mine = sorted(tp.partition for tp in assigned if tp.topic == ORDER["topic"])
    say("assigned", *mine)


async def look() -> None:
    """Print what the watchdog would complain of, whenever that changes, and what is assigned."""
    last: tuple[object, ...] = ()
    while True:
        seen = app.observe()
        now = (seen.assigned, seen.unacknowledged, complaint(seen))
        if now != last:
            say("seen", *now)
            last = now
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    app.task(work)
    app.task(look)
    app.on_partitions_assigned.connect(assigned)  # type: ignore[arg-type]
    run(app)
