"""A worker process that meets one misfortune, on stock Faust or on ours; prints what it finishes.

Started by test_losses.py with one argument, JSON: engine, misfortune, bootstrap, topic, group, and
what else the misfortune needs. Writes `got VALUE` and `done VALUE` lines.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer
from faust.transport.drivers import aiokafka as driver
from mode import CrashingSupervisor

from headgate.streams.bus import Bus, Record
from headgate.streams.engine.app import create_app, raw_topic, run
from headgate.streams.engine.table import DurableTable
from headgate.streams.settings import Settings

ORDER: dict[str, Any] = json.loads(sys.argv[1])
BAD = b"v3"
OURS = ORDER["engine"] == "ours"


class QuickConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """The mock broker does not wake a fetch when records arrive: do not let it wait."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "fetch_max_wait_ms": 10})


def say(*words: object) -> None:
    """One line to the test."""
    print(*words, flush=True)  # noqa: T201


def text(value: bytes) -> str:
    """How a value is printed."""
    return value.decode()


def make_app() -> faust.App:
    """The app under test."""
    if OURS:
        settings = Settings(
            kafka=ORDER["bootstrap"],
            namespace=ORDER["group"],
            partitions=1,
            commit_interval_ms=100,
            session_timeout_ms=6000,
            fetch_wait_ms=10,
            static_membership=False,
            stop_wait_ms=2000,
        )
        return create_app("settle", settings)
    driver.aiokafka.AIOKafkaConsumer = QuickConsumer  # type: ignore[attr-defined]
    return faust.App(
        ORDER["group"] + ".headgate-settle",
        broker=f"kafka://{ORDER['bootstrap']}",
        datadir=ORDER["folder"],
        broker_commit_interval=0.1,
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.5,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=1,
        table_standby_replicas=0,
        web_enabled=ORDER["misfortune"] == "web",
        web_port=ORDER.get("port", 6066),
        stream_wait_empty=ORDER["misfortune"] == "endless",
        worker_redirect_stdouts=False,
        agent_supervisor=CrashingSupervisor if ORDER["misfortune"] == "crash" else None,
    )


app = make_app()
source = raw_topic(app, ORDER["topic"])
bus = Bus(ORDER["bootstrap"], timeout_ms=2000, retry_backoff_ms=20, retry_backoff_max_ms=200)


async def raises(stream: Any) -> None:
    """L1, L2: an agent as the manual shows it raises at the bad record."""
    async for event in stream.events():
        if event.value == BAD:
            raise ValueError(BAD)
        say("done", text(event.value))


async def raises_unacknowledged(stream: Any) -> None:
    """L3: the same, acknowledging last."""
    async for event in stream.noack().events():
        if event.value == BAD:
            raise ValueError(BAD)
        event.ack()
        say("done", text(event.value))


async def raises_in_batch(stream: Any) -> None:
    """L4: a batch as the manual shows it."""
    async for events in stream.take_events(4, within=0.2):
        if any(event.value == BAD for event in events):
            raise ValueError(BAD)
        for event in events:
            say("done", text(event.value))


async def raises_in_unacknowledged_batch(stream: Any) -> None:
    """L5: the same, acknowledging last."""
    async for events in stream.noack_take(4, within=0.2):
        if any(event.value == BAD for event in events):
            raise ValueError(BAD)
        for event in events:
            event.ack()
            say("done", text(event.value))


async def holds_the_first(stream: Any) -> None:
    """L6: one of several concurrent actors is slow with the first record."""
    async for event in stream.noack().events():
        if event.value == b"v0":
            await asyncio.sleep(3600)
        event.ack()
        say("done", text(event.value))


async def holds_the_bad(stream: Any) -> None:
    """L7, L8: in the midst of work when the process is told to stop."""
    async for event in stream.events():
        say("got", text(event.value))
        if event.value == BAD:
            await asyncio.sleep(3600)
        event.ack()
        say("done", text(event.value))


async def sends(stream: Any) -> None:
    """L9, L12: every record has an output, and the broker refuses some."""
    if OURS:
        await bus.start()
    async for event in stream.noack().events():
        if OURS:
            await bus.publish_until_acked([Record(ORDER["outputs"], 0, b"k", event.value)])
        else:
            await app.topic(ORDER["outputs"], value_serializer="raw").send(
                key=b"k", value=event.value, partition=0
            )
        event.ack()
        say("done", text(event.value))


def remembers() -> Callable[[Any], Awaitable[None]]:
    """L13, L14: every record changes a table."""
    if OURS:
        table = DurableTable(app, "state", app.settings)  # type: ignore[attr-defined]
    else:
        stock = app.Table("state", partitions=1, key_type=bytes, value_type=bytes)

    async def agent(stream: Any) -> None:
        if OURS:
            await bus.start()
        async for event in stream.noack().events():
            if OURS:
                record = table.put(0, event.value, event.value * 1000)
                await bus.publish_until_acked([record])
            else:
                stock[event.value] = event.value * 1000
            event.ack()
            say("done", text(event.value))

    return agent


async def decodes(stream: Any) -> None:
    """L16: some records cannot be decoded."""
    async for event in stream.noack().events():
        value = text(event.value) if OURS else event.value
        if OURS and not value.isdigit():
            say("dead", value)
        event.ack()
        say("done", value)


async def works(stream: Any) -> None:
    """No misfortune."""
    async for event in stream.noack().events():
        say("done", text(event.value))
        event.ack()


if ORDER["misfortune"] == "undecodable" and not OURS:
    source = app.topic(ORDER["topic"], value_serializer="json")

AGENTS: dict[str, Any] = {
    "raise": raises,
    "crash": raises,
    "raise_unacknowledged": raises_unacknowledged,
    "raise_in_batch": raises_in_batch,
    "raise_in_unacknowledged_batch": raises_in_unacknowledged_batch,
    "first_is_slow": holds_the_first,
    "stopped": holds_the_bad,
    "endless": holds_the_bad,
    "send": sends,
    "undecodable": decodes,
    "none": works,
    "web": works,
    "joining": works,
}
misfortune = ORDER["misfortune"]
app.agent(source, name="victim", concurrency=3 if misfortune == "first_is_slow" else 1)(
    remembers() if misfortune == "remember" else AGENTS[misfortune]
)


@app.on_partitions_revoked.connect
async def joining(*_: object, **__: object) -> None:
    """Aiokafka calls this each time before it joins the group."""
    say("joining")


if __name__ == "__main__":
    if OURS:
        run(app)
    else:
        worker = faust.Worker(app, loglevel="warning", quiet=True)
        worker.spinner = None
        worker.execute_from_commandline()
