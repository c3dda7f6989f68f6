"""Ranges of a real log: by offset, time, key and number, merged, and always with an end."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from confluent_kafka import Producer

from headgate.cli.selecting import settings_of
from headgate.embedded.stack import Stack
from headgate.replay import following, log_ranges, log_source
from headgate.replay.following import Follower
from headgate.replay.log_ranges import target
from headgate.replay.log_source import LogSource
from headgate.replay.recorded import SourceUnreadable
from headgate.replay.selection import Part, Selection
from headgate.replay.sources import opened
from headgate.streams.bus import Bus, Record
from headgate.streams.declare import declare
from headgate.streams.errors import LogUnavailable
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS, PAYMENT_FACTS
from tests.conftest import settings_of as stack_settings
from tests.system.harness_place import until
from tests.unit.test_selection import COMMANDS, FACTS, typed_of

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

AT_MS = 1_790_000_000_000


async def publish(settings: Settings, *records: Record) -> None:
    bus = Bus.of(settings, "test")
    await bus.start()
    try:
        await bus.publish_until_acked(list(records))
    finally:
        await bus.stop()


async def fill(settings: Settings, count: int) -> None:
    """So many records of four keys, a second apart, in turn on commands and facts."""
    names = [topic.full_name(settings) for topic in (PAYMENT_COMMANDS, PAYMENT_FACTS)]
    await publish(
        settings,
        *(
            Record(names[n % 2], n % 4, b"pay_%d" % (n % 4), b"%d" % n, (), AT_MS + 1000 * n)
            for n in range(count)
        ),
    )


async def numbers(settings: Settings, selection: Selection) -> list[int]:
    """The values of what a fresh source gives."""
    return [int(r.value or b"-1") async for r in LogSource(settings, selection).records()]


@pytest.fixture
async def filled(live_settings: Settings) -> Settings:
    await declare(live_settings)
    await fill(live_settings, 40)
    return live_settings


async def test_records_come_by_time_and_of_what_was_asked_for(filled: Settings) -> None:
    every = list(range(40))
    since, until = AT_MS + 10_000, AT_MS + 20_000
    parts: dict[Part, int] = {(COMMANDS, 0): 3, (FACTS, 1): 5}
    wanted = [
        (Selection(), every),
        (Selection(topics=(COMMANDS,)), every[::2]),
        (Selection(since_ms=since), every[10:]),
        (Selection(until_ms=until), every[:20]),
        (Selection(since_ms=since, until_ms=until), every[10:20]),
        (Selection(since_ms=AT_MS + 90_000), []),
        (Selection(keys=frozenset({b"pay_1"})), every[1::4]),
        (Selection(last=7), every[-7:]),
        (Selection(last=70), every),
        (Selection(keys=frozenset({b"pay_1", b"pay_2"}), last=3), [34, 37, 38]),
        (Selection(until_ms=until, last=3), [17, 18, 19]),
    ]
    for selection, expected in wanted:
        assert await numbers(filled, selection) == expected, selection
    assert await numbers(filled, Selection(starts=parts)) == sorted([*every[12::4], *every[21::4]])
    assert await numbers(filled, Selection(starts=parts, ends={(COMMANDS, 0): 5})) == sorted(
        [12, 16, *every[21::4]]
    )


async def test_the_end_is_where_the_log_ended_when_it_was_opened(filled: Settings) -> None:
    source = LogSource(filled, Selection())
    assert await source.count() == 40
    await fill(filled, 4)
    first = [record async for record in source.records()]
    assert len(first) == 40
    assert [record async for record in source.records()] == first
    assert len(await numbers(filled, Selection())) == 44


@pytest.mark.parametrize(
    "selection",
    [Selection(), Selection(last=5), Selection(since_ms=AT_MS + 9000, keys=frozenset({b"pay_3"}))],
)
async def test_its_words_open_the_same_again(filled: Settings, selection: Selection) -> None:
    source = LogSource(filled, selection)
    words = await source.frozen()
    before = [record async for record in source.records()]
    await fill(filled, 8)
    given = typed_of(words[1:])
    again = opened(words[0], given[0], settings_of(given[1]).model_copy(update=dict(filled)))
    assert [record async for record in again.records()] == before


async def test_a_record_that_came_late_is_found_by_its_time(filled: Settings) -> None:
    """It waited in the outbox, so it stands behind younger ones."""
    late = Record(PAYMENT_COMMANDS.full_name(filled), 0, b"k", b"99", (), AT_MS + 5500)
    await publish(filled, late)
    assert 99 in await numbers(filled, Selection(until_ms=AT_MS + 6000))
    assert (await numbers(filled, Selection(topics=(COMMANDS,), last=1))) != []


async def test_gaps_at_the_end_are_no_end_of_it(filled: Settings) -> None:
    """Transactions, committed and aborted, leave offsets without a record."""
    await asyncio.to_thread(transact, filled)
    async with asyncio.timeout(30):
        found = await numbers(filled, Selection(topics=(COMMANDS,)))
    # Aborted ones are there, as settle and every other reader sees them.
    assert sorted(found)[-6:] == [100, 101, 102, 103, 104, 105]
    async with asyncio.timeout(30):
        newest = await numbers(filled, Selection(starts={(COMMANDS, 3): 0}, last=4))
    assert newest == [102, 103, 104, 105]


def transact(settings: Settings) -> None:
    """Three transactions of two records each; every other one is aborted."""
    producer = Producer({"bootstrap.servers": settings.kafka, "transactional.id": "gaps"})
    producer.init_transactions(30)
    topic = PAYMENT_COMMANDS.full_name(settings)
    for first in (100, 102, 104):
        producer.begin_transaction()
        for number in (first, first + 1):
            producer.produce(
                topic,
                b"%d" % number,
                b"k",
                3,
                timestamp=AT_MS + 1_000_000 + number,
                headers=[("h", None)],
            )
        producer.flush(30)
        if first == 102:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)


async def test_what_is_not_there_is_told(filled: Settings) -> None:
    for selection, said in (
        (Selection(topics=("payments.fact",)), r"namespace t\w+ on Kafka .* has no topic payments"),
        (Selection(starts={(COMMANDS, 7): 0}), "has no partition 7: it has 4, counted from 0"),
        (Selection(starts={("delay.1s", 0): 0}), "an offset of delay.1s is named, and --topic"),
    ):
        with pytest.raises(SourceUnreadable, match=said):
            await numbers(filled, selection)
    await delete_before(filled, (COMMANDS, 0), 5)
    with pytest.raises(
        SourceUnreadable, match=r"partition 0, begins at offset 5 by now; what stood"
    ):
        await numbers(filled, Selection(starts={(COMMANDS, 0): 3}))
    assert await numbers(filled, Selection(starts={(COMMANDS, 0): 5})) == [20, 24, 28, 32, 36]


async def test_what_is_deleted_while_it_is_read_is_told(filled: Settings) -> None:
    source = LogSource(filled, Selection())
    await source.count()
    await delete_before(filled, (COMMANDS, 0), 5)
    with pytest.raises(SourceUnreadable, match="while they were being read"):
        [record async for record in source.records()]


async def delete_before(settings: Settings, part: Part, offset: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        await admin.delete_records({target(settings, part): RecordsToDelete(offset)})
    finally:
        await admin.close()


async def test_records_larger_than_a_fetch_come_too(
    filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_ranges, "FETCH_BYTES_MAX", 1000)
    large = Record(PAYMENT_COMMANDS.full_name(filled), 0, b"k", b"9" * 50_000, (), AT_MS)
    await publish(filled, large)
    found = [r async for r in LogSource(filled, Selection()).records()]
    assert len(found) == 41
    assert found[-1].value != large.value, "it is as old as the first one, and stands behind it"
    assert large.value in {record.value for record in found}


async def test_a_log_that_is_away_is_told_at_once() -> None:
    async with asyncio.timeout(20):
        with pytest.raises(LogUnavailable, match=r"127\.0\.0\.1:1 does not let us in.*doctor"):
            await numbers(Settings(kafka="127.0.0.1:1"), Selection())


async def test_a_broker_that_comes_back_is_waited_for_and_one_that_does_not_is_given_up(
    own_stack: Stack, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_ranges, "FETCH_BYTES_MAX", 1000)
    monkeypatch.setattr(log_ranges, "ASK_WAIT_S", 2.0)
    monkeypatch.setattr(following, "QUIET_S", 0.5)
    settings = stack_settings(own_stack, namespace)
    await declare(settings)
    for _ in range(30):  # a batch each: Kafka hands out whole ones
        await fill(settings, 40)
    told: list[str] = []
    commands = LogSource(settings, Selection(topics=(COMMANDS,)))
    ends = {part: span.end for part, span in (await commands.spans()).items()}
    reading, follower = commands.records(), Follower(settings, ends, told.append)
    following_on = follower.records()

    async def next_numbers() -> list[int]:
        return sorted([int((await anext(following_on)).value or b"") for _ in range(4)])

    async with asyncio.timeout(100):
        await anext(reading)
        waiting = asyncio.create_task(next_numbers())
        await asyncio.to_thread(own_stack.kill, "kafka")
        await until(lambda: there(told), 30, "told that Kafka is away")
        await asyncio.to_thread(own_stack.start, "kafka")
        await fill(settings, 8)
        assert await waiting == [0, 2, 4, 6]
        assert [line.rpartition(" is ")[2] for line in told] == ["tried again", "back"]
        assert len([record async for record in reading]) == 30 * 20 - 1
        await following_on.aclose()
        await frozen(own_stack, settings, monkeypatch)


async def there(told: list[str]) -> bool:
    return bool(told)


async def frozen(own_stack: Stack, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_source, "STALL_S", 2.0)
    records = LogSource(settings, Selection()).records()
    await anext(records)
    await asyncio.to_thread(own_stack.freeze, "kafka")
    try:
        with pytest.raises(LogUnavailable, match="has shown nothing for 2 s"):
            [record async for record in records]
    finally:
        await asyncio.to_thread(own_stack.thaw, "kafka")
