"""The bus keeps what it acknowledged, in order, whatever the broker answers (03 §2.1 L9, L12)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable

import pytest
from aiokafka import AIOKafkaConsumer

from headgate.streams.bus import Bus, Position, Record
from headgate.streams.errors import LogUnavailable, RecordTooLarge
from tests.stream.broker import MockBroker

OUT_OF_ORDER_SEQUENCE, UNKNOWN_PRODUCER, INVALID_EPOCH = 45, 59, 47
NOT_LEADER, REQUEST_TIMED_OUT, UNKNOWN_SERVER_ERROR, TOO_LARGE = 6, 7, -1, 10


@pytest.fixture
async def bus(broker: MockBroker) -> AsyncIterator[Bus]:
    """A bus with short limits."""
    bus = Bus(broker.bootstrap, timeout_ms=1000, retry_backoff_ms=20, retry_backoff_max_ms=100)
    await bus.start()
    yield bus
    await bus.stop()


def records(topic: str, values: Iterable[int], partition: int = 0) -> list[Record]:
    return [Record(topic, partition, b"key", b"%d" % value) for value in values]


async def values_of(broker: MockBroker, topic: str) -> list[int]:
    """All values on the first partition, in order."""
    return [int(value) for value in await broker.values(topic)]


def first_seen(values: list[int]) -> list[int]:
    return list(dict.fromkeys(values))


async def available(bus: Bus) -> None:
    while not bus.available:  # noqa: ASYNC110 - a property, nothing to await
        await asyncio.sleep(0.01)


async def test_positions_come_back_in_the_order_given(broker: MockBroker, bus: Bus) -> None:
    topic = broker.topic(partitions=2)
    first, second = records(topic, [1, 2]), records(topic, [3], partition=1)
    assert await bus.publish([first[0], *second, first[1]]) == [
        Position(topic, 0, 0),
        Position(topic, 1, 0),
        Position(topic, 0, 1),
    ]
    assert str(Position(topic, 1, 42)) == f"{topic}/1@42"
    assert await bus.end_offset(topic, 0) == 2
    assert await bus.end_offsets(topic, [0, 1]) == {0: 2, 1: 1}


async def test_nothing_to_publish_needs_no_broker() -> None:
    assert await Bus("127.0.0.1:1", timeout_ms=50).publish([]) == []


async def test_headers_tombstones_and_timestamps_arrive(broker: MockBroker, bus: Bus) -> None:
    topic = broker.topic()
    await bus.publish([Record(topic, 0, b"k", None, (("event-id", b"7"),), 1_700_000_000_000)])
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        record = await consumer.getone()
    finally:
        await consumer.stop()
    assert (record.key, record.value, record.headers) == (b"k", None, (("event-id", b"7"),))


async def test_more_than_a_batch_goes_in_order(broker: MockBroker, bus: Bus) -> None:
    topic = broker.topic()
    big = [Record(topic, 0, b"k", b"%d" % n + b" " * 300_000) for n in range(8)]
    assert [position.offset for position in await bus.publish(big)] == list(range(8))
    assert await values_of(broker, topic) == list(range(8))


async def test_a_record_larger_than_a_batch_is_refused_at_once(
    broker: MockBroker, bus: Bus
) -> None:
    topic = broker.topic()
    with pytest.raises(RecordTooLarge, match="does not fit"):
        await bus.publish_until_acked([Record(topic, 0, b"k", b"x" * (1 << 20))])
    assert bus.available


async def test_a_batch_that_the_topic_refuses_is_not_tried_for_ever(
    broker: MockBroker, bus: Bus
) -> None:
    topic = broker.topic()
    broker.do("errors", api=0, codes=[TOO_LARGE])
    with pytest.raises(RecordTooLarge, match=r"max\.message\.bytes"):
        await bus.publish_until_acked(records(topic, [1]))
    assert await bus.publish(records(topic, [2])) == [Position(topic, 0, 0)]


async def test_an_unknown_partition_is_named(broker: MockBroker, bus: Bus) -> None:
    topic = broker.topic()
    with pytest.raises(LogUnavailable, match=f"{topic} has no partition 7"):
        await bus.publish(records(topic, [1], partition=7))


@pytest.mark.parametrize("code", [NOT_LEADER, REQUEST_TIMED_OUT])
async def test_an_error_that_may_be_tried_again_is_not_seen(
    broker: MockBroker, bus: Bus, code: int
) -> None:
    topic = broker.topic()
    broker.do("errors", api=0, codes=[code] * 3)
    await bus.publish(records(topic, [1, 2]))
    assert await values_of(broker, topic) == [1, 2]


@pytest.mark.parametrize(
    "code", [OUT_OF_ORDER_SEQUENCE, UNKNOWN_PRODUCER, INVALID_EPOCH, UNKNOWN_SERVER_ERROR]
)
async def test_a_failed_producer_is_replaced(broker: MockBroker, bus: Bus, code: int) -> None:
    topic = broker.topic()
    broker.do("errors", api=0, codes=[code])
    with pytest.raises(LogUnavailable):
        await bus.publish(records(topic, [1]))
    assert not bus.available
    await available(bus)
    broker.do("errors", api=0, codes=[code, code])
    await bus.publish_until_acked(records(topic, [1, 2]))
    await bus.publish_until_acked(records(topic, [3]))
    assert await values_of(broker, topic) == [1, 2, 3]


async def test_many_publishers_lose_nothing_and_keep_their_order_under_errors(
    broker: MockBroker, bus: Bus
) -> None:
    topic = broker.topic()
    broker.do("errors", api=0, codes=[0, NOT_LEADER, OUT_OF_ORDER_SEQUENCE, 0, UNKNOWN_PRODUCER])

    async def publisher(number: int) -> None:
        for step in range(10):
            await bus.publish_until_acked(records(topic, [number * 100 + step]))

    await asyncio.gather(*(publisher(number) for number in range(10)))
    found = await values_of(broker, topic)
    for number in range(10):
        mine = first_seen([value for value in found if value // 100 == number])
        assert mine == [number * 100 + step for step in range(10)]


async def test_an_outage_longer_than_the_timeout_loses_and_doubles_nothing(
    broker: MockBroker, bus: Bus
) -> None:
    topic = broker.topic()
    await bus.publish(records(topic, [0]))
    broker.do("down")
    with pytest.raises(LogUnavailable, match="did not answer"):
        await bus.publish(records(topic, [1]))
    assert not bus.available
    pending = asyncio.ensure_future(bus.publish_until_acked(records(topic, [2, 3])))
    await asyncio.wait({pending}, timeout=2.5)
    assert not pending.done()
    assert not bus.available
    broker.do("up")
    await pending
    await available(bus)
    assert await values_of(broker, topic) == [0, 1, 2, 3]


async def test_a_frozen_broker_loses_nothing(broker: MockBroker, bus: Bus) -> None:
    topic = broker.topic()
    await bus.publish(records(topic, [0]))
    broker.freeze()
    pending = asyncio.ensure_future(bus.publish_until_acked(records(topic, [1, 2])))
    await asyncio.wait({pending}, timeout=2.5)
    broker.thaw()
    await pending
    assert first_seen(await values_of(broker, topic)) == [0, 1, 2]


async def test_a_publish_can_be_cancelled_while_the_broker_is_away(
    broker: MockBroker, bus: Bus
) -> None:
    topic = broker.topic()
    await bus.publish(records(topic, [0]))
    broker.do("down")
    pending = asyncio.ensure_future(bus.publish_until_acked(records(topic, [1])))
    await asyncio.wait({pending}, timeout=0.2)
    pending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pending
    broker.do("up")
    await available(bus)


async def test_the_start_does_not_wait_for_a_broker_that_is_away(
    broker: MockBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headgate.streams.bus.CONNECT_WAIT_S", 0.1)
    broker.do("down")
    bus = Bus(broker.bootstrap, timeout_ms=300, retry_backoff_ms=20, retry_backoff_max_ms=50)
    began = time.monotonic()
    await bus.start()
    assert time.monotonic() - began < 1
    assert not bus.available
    topic = "anything"
    with pytest.raises(LogUnavailable):
        await bus.publish(records(topic, [1]))
    with pytest.raises(LogUnavailable):
        await bus.end_offset(topic, 0)
    broker.do("up")
    await available(bus)
    topic = broker.topic()
    await bus.publish(records(topic, [1]))
    await bus.stop()


async def test_a_producer_that_is_never_answered_is_replaced(
    broker: MockBroker, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = broker.topic()
    await bus.publish(records(topic, [0]))
    deaf = bus._session
    assert deaf is not None
    monkeypatch.setattr(
        deaf._producer._message_accumulator, "drain_by_nodes", lambda **_: ({}, False)
    )
    await bus.publish_until_acked(records(topic, [1, 2]))
    assert bus._session is not deaf
    assert await values_of(broker, topic) == [0, 1, 2]
