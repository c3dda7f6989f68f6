"""Workers on our engine: tables, rebalances, outages, the watchdog and the stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition

from headgate.streams.engine.watchdog import EXIT_STALLED
from tests.stream.broker import MockBroker
from tests.stream.stage import EVENT_LIMIT_S, Run, Stage

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def stage(broker: MockBroker, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage on the module's broker."""
    async with Stage(broker, tmp_path) as stage:
        yield stage


@pytest.fixture
async def own_stage(own_broker: MockBroker, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage on a broker that this test may break."""
    async with Stage(own_broker, tmp_path) as stage:
        yield stage


async def worker(stage: Stage, topic: str, **order: Any) -> Run:
    """Start a worker."""
    return await stage.worker("engine_worker.py", topic, **order)


async def with_table(stage: Stage, partitions: int) -> str:
    """A source topic and the changelog of its group's table."""
    topic = stage.broker.topic(partitions)
    group = topic.replace("-", "_")
    name = f"{group}.headgate-settle-state-changelog"
    stage.broker.do("topic", name=name, partitions=partitions)
    return topic


async def said(run: Run, *lines: str) -> None:
    """Wait until it has printed all of these lines."""
    await run.until(lambda: set(lines) <= set(run.lines))


async def test_a_table_is_restored_from_its_changelog(stage: Stage) -> None:
    """03 §8.2, and L17: it is written outside of stream iteration."""
    topic = await with_table(stage, 1)
    await stage.write(topic, ["put a 1", "put b 2", "put c 3", "delete a", "put b 4"])
    first = await worker(stage, topic, table=True)
    await said(first, "done 0 put b 4")
    await first.stop(signal.SIGTERM)
    await stage.write(topic, ["get a", "get b", "get c", "size"])
    second = await worker(stage, topic, table=True)
    await said(second, "value a none", "value b 4", "value c 3", "size 2")


async def test_a_table_moves_with_its_partitions(stage: Stage) -> None:
    topic = await with_table(stage, 2)
    await stage.write(topic, ["put a 1"], partition=0)
    await stage.write(topic, ["put b 2"], partition=1)
    order = {"table": True, "partitions": 2}
    first = await worker(stage, topic, **order)
    await said(first, "done 0 put a 1", "done 1 put b 2")
    second = await worker(stage, topic, **order)
    await second.until(lambda: {"assigned 0", "assigned 1"} & set(second.lines) != set())
    theirs = 0 if "assigned 0" in second.lines else 1
    await said(first, f"assigned {1 - theirs}")
    for partition, key in ((0, "a"), (1, "b")):
        await stage.write(topic, [f"get {key}", "size"], partition=partition)
    owner = {theirs: second, 1 - theirs: first}
    await said(owner[0], "value a 1", "size 1")
    await said(owner[1], "value b 2", "size 1")


async def test_nothing_is_lost_while_workers_come_go_and_die(stage: Stage) -> None:
    """08 R4, 03 §11.2 hole 4: every record is done by somebody, and everything is committed."""
    topic = stage.broker.topic(4)
    order = {"partitions": 4}
    numbers = count()
    written: set[str] = set()
    writing = True

    async def write() -> None:
        while writing:
            for partition in range(4):
                values = [f"n{next(numbers)}" for _ in range(5)]
                await stage.write(topic, values, partition)
                written.update(f"done {partition} {value}" for value in values)
            await asyncio.sleep(0.2)

    writer = asyncio.create_task(write())
    first = await worker(stage, topic, **order)
    await first.until(lambda: len(first.done) > 0)
    second = await worker(stage, topic, **order)
    await second.until(lambda: any(line.startswith("done") for line in second.lines))
    await first.stop(signal.SIGTERM)
    third = await worker(stage, topic, **order)
    await third.until(lambda: any(line.startswith("done") for line in third.lines))
    await second.stop(signal.SIGKILL)
    writing = False
    await writer
    runs = (first, second, third)
    await third.until(lambda: written <= {line for run in runs for line in run.lines})
    # What the second one did and could not commit any more, the third one does again.
    ends = await stage.bus.end_offsets(topic, range(4))
    targets = [TopicPartition(topic, partition) for partition in range(4)]
    async with asyncio.timeout(EVENT_LIMIT_S):
        while True:
            found = await stage.client.list_consumer_group_offsets(third.group, partitions=targets)
            if {tp.partition: entry.offset for tp, entry in found.items()} == ends:
                break
            await asyncio.sleep(0.05)


async def test_workers_survive_a_broker_that_is_away(own_stage: Stage) -> None:
    """00 A4: no process exits because a dependency is away."""
    topic = await own_stage.fill(["one"])
    run = await worker(own_stage, topic)
    await said(run, "done 0 one")
    own_stage.broker.do("down")
    await run.until(lambda: "Marking the coordinator dead" in run.errors.read_text())
    own_stage.broker.do("up")
    await own_stage.write(topic, ["two"])
    await said(run, "done 0 two")
    await run.until_committed(2)
    await run.stop(signal.SIGTERM)
    assert run.code == 0


async def test_a_worker_waits_for_a_broker_that_is_not_there_yet(own_stage: Stage) -> None:
    topic = await own_stage.fill(["one"])
    own_stage.broker.do("down")
    run = await worker(own_stage, topic)
    await run.until(lambda: "does not answer" in run.errors.read_text())
    own_stage.broker.do("up")
    await said(run, "done 0 one")


async def test_a_worker_that_waits_for_a_broker_stops_at_once(own_stage: Stage) -> None:
    own_stage.broker.do("down")
    run = await worker(own_stage, "anything")
    await run.until(lambda: "does not answer" in run.errors.read_text())
    await run.stop(signal.SIGTERM)
    assert (run.code, run.stop_s < 1) == (0, True)


async def test_a_worker_that_acknowledges_nothing_ends_and_says_why(stage: Stage) -> None:
    topic = await stage.fill(["hold"])
    run = await worker(stage, topic, settings={"stall_timeout_s": 5, "acquirer_timeout_ms": 1000})
    await run.until(lambda: run.code is not None)
    assert run.code == EXIT_STALLED
    assert "has 1 records in hand and acknowledges none" in run.errors.read_text()


async def test_a_worker_that_waits_for_a_dependency_has_nothing_to_answer_for(
    stage: Stage,
) -> None:
    topic = await stage.fill(["hold"])
    run = await worker(stage, topic, waiting_for="PostgreSQL")
    await said(run, "holding", "seen 1 1 None")


async def test_a_spare_worker_has_nothing_to_answer_for(stage: Stage) -> None:
    """More workers than partitions is legitimate: one takes over when another dies."""
    topic = await stage.fill(["one"])
    runs = [await worker(stage, topic) for _ in range(2)]
    await runs[0].until(lambda: any("seen 0 0 None" in run.lines for run in runs))
