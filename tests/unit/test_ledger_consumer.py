"""The consumer delivers without holes and commits again what failed to commit (08 R4, 03 §11.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from headgate.streams.engine.app import create_app, raw_topic
from headgate.streams.engine.bundle import Bundle
from headgate.streams.engine.consumer import SafeConsumer
from headgate.streams.settings import Settings

SOURCE = TP("payments.commands", 0)
CHANGELOG = TP("changelog", 0)


@dataclass
class FakeRecord:
    offset: int
    topic: str = SOURCE.topic
    partition: int = 0
    timestamp: int = 0
    timestamp_type: int = 0
    headers: tuple[()] = ()
    key: bytes = b"k"
    value: bytes = b"v"
    checksum: None = None
    serialized_key_size: int = 1
    serialized_value_size: int = 1


@dataclass
class FakeThread:
    """The thread of Kafka's client, as far as the consumer asks it for something."""

    assigned: set[TP] = field(default_factory=lambda: {SOURCE})
    committed: dict[TP, int] = field(default_factory=dict)
    first: int = 0
    sought: list[tuple[TP, int]] = field(default_factory=list)
    commits: list[dict[TP, int]] = field(default_factory=list)
    commits_succeed: bool = True
    reachable: bool = True

    async def call_thread(self, method: Any, *arguments: Any) -> Any:
        return await method(*arguments)

    async def begin(self, targets: set[TP], known: dict[TP, int]) -> dict[TP, int]:
        if not self.reachable:
            raise KafkaTimeoutError
        return {tp: self.committed.get(tp, self.first) for tp in targets} | known

    async def move(self, tp: TP, offset: int) -> None:
        self.sought.append((tp, offset))

    async def earliest_offsets(self, *tps: TP) -> dict[TP, int]:
        if not self.reachable:
            raise KafkaTimeoutError
        return dict.fromkeys(tps, self.first)

    async def commit(self, offsets: dict[TP, int]) -> bool:
        self.commits.append(offsets)
        return self.commits_succeed

    def assignment(self) -> set[TP]:
        return self.assigned


@dataclass
class Bench:
    """A consumer between a fake thread and a fake stream."""

    consumer: SafeConsumer
    thread: FakeThread
    delivered: list[Any]

    @property
    def offsets(self) -> list[int]:
        return [message.offset for message in self.delivered]

    async def arrive(self, *offsets: int, tp: TP = SOURCE) -> None:
        """Kafka hands over records of these offsets."""
        records = [FakeRecord(offset, topic=tp.topic) for offset in offsets]
        await self.consumer._deliver({tp: records}, self.consumer.app.consumer_generation_id)


@pytest.fixture(params=["one by one", "in bundles"])
async def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    app = create_app("settle", Settings())
    app.topics.acking_topics.add(SOURCE.topic)
    if request.param == "in bundles":
        app.bundled.add(SOURCE.topic)
    app.finalize()
    consumer = app._new_consumer()
    assert isinstance(consumer, SafeConsumer)
    consumer._thread.thread_loop.close()
    thread = FakeThread()
    delivered: list[Any] = []

    async def callback(message: Any) -> None:
        delivered.extend(message.records if isinstance(message, Bundle) else [message])

    consumer._thread = thread  # type: ignore[assignment]
    consumer.callback = callback
    consumer._active_partitions = {SOURCE, CHANGELOG}
    monkeypatch.setattr("headgate.streams.engine.consumer.REREAD_WAIT_S", 0)
    return Bench(consumer, thread, delivered)


async def test_reading_begins_at_the_commit(bench: Bench) -> None:
    bench.thread.committed[SOURCE] = 5
    await bench.consumer.perform_seek()
    await bench.arrive(5, 6)
    assert bench.offsets == [5, 6]


async def test_without_a_commit_it_begins_at_the_first_record(bench: Bench) -> None:
    bench.thread.first = 3
    await bench.consumer.perform_seek()
    await bench.arrive(4)
    assert bench.offsets == []
    assert bench.thread.sought == [(SOURCE, 3)]


async def test_a_position_that_an_agent_asked_for_outlives_the_end_of_the_recovery(
    bench: Bench,
) -> None:
    """08 R4: settle seeks when it has its claim, Faust seeks when the tables are recovered."""
    bench.thread.committed[SOURCE] = 50
    await bench.consumer.seek(SOURCE, 10)
    await bench.consumer.perform_seek()
    await bench.arrive(10, 11)
    assert bench.offsets == [10, 11]


async def test_a_jump_is_read_again(bench: Bench) -> None:
    """03 §11.2 hole 4: stock takes it for compaction and commits past it."""
    await bench.consumer.perform_seek()
    await bench.arrive(0, 1, 5, 6)
    assert bench.offsets == [0, 1]
    assert bench.thread.sought == [(SOURCE, 2)]
    await bench.arrive(2, 3, 4, 5)
    assert bench.offsets == [0, 1, 2, 3, 4, 5]


async def test_what_was_delivered_is_not_delivered_twice(bench: Bench) -> None:
    await bench.consumer.perform_seek()
    await bench.arrive(0, 1, 2)
    await bench.arrive(1, 2, 3)
    assert bench.offsets == [0, 1, 2, 3]


async def test_what_retention_removed_is_passed(bench: Bench) -> None:
    await bench.consumer.perform_seek()
    await bench.arrive(0)
    bench.thread.first = 7
    await bench.arrive(7)
    await bench.arrive(7)
    assert bench.offsets == [0, 7]
    assert bench.thread.sought == [(SOURCE, 7)]


async def test_a_jump_is_not_passed_because_the_broker_is_away(bench: Bench) -> None:
    await bench.consumer.perform_seek()
    bench.thread.first, bench.thread.reachable = 7, False
    await bench.arrive(7)
    assert bench.offsets == []
    assert bench.thread.sought == [(SOURCE, 0)]


async def test_a_partition_of_unknown_position_is_positioned_by_its_first_record(
    bench: Bench,
) -> None:
    bench.thread.reachable = False
    await bench.consumer.perform_seek()
    await bench.arrive(4)
    bench.thread.reachable, bench.thread.committed[SOURCE] = True, 2
    await bench.arrive(4)
    assert bench.offsets == []
    await bench.arrive(2)
    assert bench.offsets == [2]


async def test_nothing_is_delivered_while_the_group_rebalances(bench: Bench) -> None:
    await bench.consumer.perform_seek()
    bench.consumer.stop_flow()
    await bench.arrive(0)
    bench.consumer.resume_flow()
    assert bench.offsets == []
    await bench.arrive(1)
    assert bench.thread.sought == [(SOURCE, 0)]


async def test_records_fetched_under_an_earlier_assignment_are_not_delivered(bench: Bench) -> None:
    await bench.consumer.perform_seek()
    await bench.consumer._deliver(
        {SOURCE: [FakeRecord(0)]}, bench.consumer.app.consumer_generation_id - 1
    )
    assert bench.offsets == []


async def test_changelog_records_are_never_dropped_for_their_age(bench: Bench) -> None:
    """Nothing reads them again: a recovery would wait for them for ever."""
    generation = bench.consumer.app.consumer_generation_id - 1
    await bench.consumer._deliver({CHANGELOG: [FakeRecord(0, CHANGELOG.topic)]}, generation)
    assert bench.offsets == [0]


async def test_changelogs_may_have_gaps(bench: Bench) -> None:
    await bench.arrive(0, 7, tp=CHANGELOG)
    assert bench.offsets == [0, 7]


async def test_only_explicit_acknowledgements_count(bench: Bench) -> None:
    await bench.consumer.perform_seek()
    await bench.arrive(0, 1)
    bench.delivered[0].acked = True  # what Faust's stream does by itself
    await bench.consumer.commit()
    assert bench.thread.commits == []
    bench.delivered[0].acked = False
    bench.delivered[0].ack(bench.consumer)
    await bench.consumer.commit()
    assert bench.thread.commits == [{SOURCE: 1}]
    assert (bench.consumer.acknowledged, bench.consumer.unacknowledged) == (1, 1)


async def test_a_failed_commit_is_tried_again(bench: Bench) -> None:
    """03 §2.2: stock advances its idea of what is committed although the commit failed."""
    await bench.consumer.perform_seek()
    await bench.arrive(0)
    bench.delivered[0].ack(bench.consumer)
    bench.thread.commits_succeed = False
    assert not await bench.consumer.commit()
    bench.thread.commits_succeed = True
    assert await bench.consumer.commit()
    assert not await bench.consumer.commit()
    assert bench.thread.commits == [{SOURCE: 1}, {SOURCE: 1}]


async def test_stock_still_forgets_a_failed_commit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When this fails, upstream has closed it: drop our `_commit_tps`."""
    bench.thread.commits_succeed = False
    monkeypatch.setattr(bench.consumer.app.producer, "flush", _nothing)
    await driver.Consumer._commit_offsets(bench.consumer, {SOURCE: 1})
    assert bench.consumer._committed_offset[SOURCE] == 1


async def _nothing(*_: object, **__: object) -> None:
    return None


async def test_an_assignment_forgets_what_was_delivered_before(bench: Bench) -> None:
    await bench.consumer.perform_seek()
    await bench.arrive(0)
    old = bench.delivered[0]
    bench.consumer._ledgers.clear()  # what a revoke does first
    await bench.consumer.perform_seek()
    await bench.arrive(0)
    old.ack(bench.consumer)
    await bench.consumer.commit()
    assert bench.thread.commits == []


async def test_a_commit_leaves_out_what_is_no_longer_ours(bench: Bench) -> None:
    await bench.consumer.perform_seek()
    await bench.arrive(0)
    bench.delivered[0].ack(bench.consumer)
    bench.thread.assigned = set()
    assert not await bench.consumer.commit()
    assert bench.thread.commits == []


async def test_a_paused_partition_does_not_wake_when_its_queue_empties(bench: Bench) -> None:
    """Stock would deliver records in the midst of a table's recovery."""
    bench.consumer.on_buffer_full(SOURCE)
    bench.consumer.pause_partitions({SOURCE})
    bench.consumer.on_buffer_drop(SOURCE)
    assert not bench.consumer.is_fetched(SOURCE)
    bench.consumer.resume_partitions({SOURCE})
    assert bench.consumer.is_fetched(SOURCE)


async def test_a_full_buffer_is_fetched_again_as_soon_as_it_drains(bench: Bench) -> None:
    bench.consumer._active_partitions = {SOURCE}
    bench.consumer.on_buffer_full(SOURCE)
    assert bench.consumer.is_fetched(SOURCE)
    bench.consumer.on_buffer_drop(SOURCE)
    assert bench.consumer._active_partitions == {SOURCE}


def test_topics_are_raw_bytes() -> None:
    """03 §2.1 L16."""
    topic: Any = raw_topic(create_app("settle", Settings()), "anything", buffer_max=7)
    assert (topic.key_serializer, topic.value_serializer) == ("raw", "raw")
    assert topic.maxsize == 7
