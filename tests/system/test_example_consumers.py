"""The example consumers of the docs against a real broker: every fact of the log once, whatever
dies, and a stop before what they cannot understand."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from confluent_kafka.admin import AdminClient

from headgate.embedded.stack import Stack
from headgate.streams import ids
from headgate.streams.bus import Bus, Record
from headgate.streams.clock import now_ms
from headgate.streams.codec import encode, fact_headers
from headgate.streams.facts import Fact
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_FACTS
from headgate.tables.payments import decide
from tests.system.harness_commands import MERCHANT, approval, create, publishing
from tests.system.harness_consumers import NODE_MODULES, Group, Told, available, statements
from tests.system.harness_log import LogReader, reading
from tests.system.harness_place import Place, holds, opened, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

PAYMENTS_FIRST = 200
"""Payments that are on the log before a consumer starts."""
PER_ROUND = 10
ROUND_S = 0.1
BEHIND = 40
"""The bank answers this many payments later, so that payments overlap."""
FURTHER = 300
"""Facts that a group applies before the next thing happens to it."""
COMES_WITHIN_S = 90.0
MADE_AT_MS = now_ms()
FUTURE = "payment.seen_by_the_future"


def story(number: int) -> tuple[list[Fact], list[Fact]]:
    """The facts of a payment: those of its create, and those of the bank's answer. Every tenth is
    a live one."""
    mode = "live" if number % 10 == 9 else "test"
    asked = create(number).model_copy(update={"mode": mode})
    answered = approval(number).model_copy(update={"mode": mode})
    made = decide(None, asked, at_ms=MADE_AT_MS)
    return list(made.facts), list(decide(made.payment, answered, at_ms=MADE_AT_MS).facts)


def record(settings: Settings, fact: Fact, **changed: Any) -> Record:
    """The fact as settle tells it; `changed` members make it one of a later Headgate."""
    payment_id = fact.data.payment.id
    return Record(
        PAYMENT_FACTS.full_name(settings),
        ids.partition_of(payment_id, settings.partitions),
        payment_id.encode(),
        orjson.dumps(orjson.loads(encode(fact)) | changed) if changed else encode(fact),
        fact_headers(fact, MERCHANT),
    )


def records(settings: Settings, number: int) -> list[Record]:
    """The create of this number and the bank's answer to an earlier one. Of every seventh payment
    one fact has a type and a member that nobody knows yet."""
    facts = story(number)[0] + (story(number - BEHIND)[1] if number >= BEHIND else [])
    return [
        record(settings, fact, type=FUTURE, event=FUTURE, mood={"good": True})
        if fact.type == "payment.authorized" and number % 7 == 0
        else record(settings, fact)
        for fact in facts
    ]


class Load:
    """Facts in a steady stream until somebody says that it is enough."""

    def __init__(self, bus: Bus, settings: Settings, log: LogReader) -> None:
        self._bus, self._settings, self._log = bus, settings, log
        self._number = 0
        self.enough = asyncio.Event()

    async def publish(self, payments: int) -> None:
        """The next payments."""
        numbers = range(self._number, self._number + payments)
        await self._bus.publish_until_acked(
            [r for n in numbers for r in records(self._settings, n)]
        )
        self._number += payments

    async def run(self) -> None:
        """Publish until it is enough. Now and then a partition's last facts come again, as settle
        tells them after it died between deciding and noting what was told (08 R3)."""
        while not self.enough.is_set():
            await self.publish(PER_ROUND)
            if self._number % 100 == 0:
                await self._repeat()
            await asyncio.sleep(ROUND_S)

    async def _repeat(self) -> None:
        await self._log.until_end()
        again = [
            Record(PAYMENT_FACTS.full_name(self._settings), each.partition, each.key, each.value)
            for each in self._log.of(PAYMENT_FACTS)[-120:]
        ]
        await self._bus.publish_until_acked(again)


@asynccontextmanager
async def groups(place: Place, folder: Path) -> AsyncIterator[list[Group]]:
    """A group of each example with one instance."""
    every = [Group(library, place.settings, folder) for library in available()]
    try:
        for group in every:
            await group.start()
        yield every
    finally:
        for group in every:
            group.stop()


async def applied(every: Sequence[Group], wanted: Mapping[str, int]) -> None:
    """Wait until each group has applied so many facts, all instances alive."""

    async def enough() -> bool:
        for group in every:
            group.assert_all_run()
        return all(group.count() >= wanted[group.library] for group in every)

    reached = await holds(enough, COMES_WITHIN_S)
    counts = {group.library: group.count() for group in every}
    assert reached, f"{counts}, not {wanted}" + "".join(group.tail() for group in every)


async def further(every: Sequence[Group]) -> None:
    """Wait until each group is well on its way again."""
    await applied(every, {group.library: group.count() + FURTHER for group in every})


async def until_shared(settings: Settings, every: Sequence[Group], instances: int) -> None:
    """Wait until so many instances share the partitions of each group."""
    admin = AdminClient({"bootstrap.servers": settings.kafka})

    async def standing() -> list[tuple[str, int]]:
        asked = admin.describe_consumer_groups([group.group_id for group in every])
        found = [await asyncio.to_thread(each.result, COMES_WITHIN_S) for each in asked.values()]
        return [(each.state.name, len(each.members)) for each in found]

    async def shared() -> bool:
        return await standing() == [("STABLE", instances)] * len(every)

    assert await holds(shared, COMES_WITHIN_S), f"not {instances} in each: {await standing()}"


async def disturb(stack: Stack, place: Place, every: Sequence[Group]) -> None:
    """All that may happen to a consumer in mid-stream, one after the other."""
    await further(every)
    for group in every:
        await group.kill()
        await group.start()
    await further(every)
    await asyncio.to_thread(stack.restart, "kafka")
    await further(every)
    for group in every:
        await group.start()
    await until_shared(place.settings, every, 2)
    await further(every)
    for group in every:
        await group.leave()
    await until_shared(place.settings, every, 1)
    await further(every)


async def test_every_fact_of_the_log_is_applied_once_whatever_dies(
    own_stack: Stack, tmp_path: Path
) -> None:
    """kill -9, a broker that dies and comes back, a second instance that joins and a first one
    that leaves; with repeats, live payments and an unknown type on the log."""
    async with (
        opened(own_stack) as place,
        publishing(place.settings) as bus,
        reading(place.settings, PAYMENT_FACTS) as log,
    ):
        load = Load(bus, place.settings, log)
        await load.publish(PAYMENTS_FIRST)
        async with groups(place, tmp_path) as every:
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(load.run())
                await disturb(own_stack, place, every)
                load.enough.set()
                await running
            await log.until_end()
            told = Told.of(log.of(PAYMENT_FACTS))
            await applied(every, {group.library: told.facts.total() for group in every})
        assert told.repeats > 0
        assert any(FUTURE.encode() in each.value for each in log.of(PAYMENT_FACTS))
        for group in every:
            assert group.applied() == told.facts, group.library
            assert group.shipments() == told.shipments, group.library
            assert group.statuses() == told.statuses, group.library


@pytest.mark.parametrize("wrong", ["a gap", "another version"])
async def test_what_it_cannot_understand_stops_it_and_changes_nothing(
    stack: Stack, tmp_path: Path, wrong: str
) -> None:
    async with opened(stack) as place, publishing(place.settings) as bus:
        created, answered = story(1)
        facts = [record(place.settings, fact) for fact in created]
        next_one, after_it = answered[:2]
        spoiled = (
            record(place.settings, after_it)
            if wrong == "a gap"
            else record(place.settings, next_one, v=2)
        )
        await bus.publish_until_acked(facts)
        async with groups(place, tmp_path) as every:
            await applied(every, {group.library: len(created) for group in every})
            await bus.publish_until_acked([spoiled])
            for group in every:
                code = await asyncio.wait_for(group.instances[0].wait(), COMES_WITHIN_S)
                assert code not in (0, None), group.tail()
                said = "after 3" if wrong == "a gap" else "version 2"
                assert said in group.log.read_text()
                assert group.count() == len(created)
                assert not group.shipments()


async def test_two_instances_take_their_turns_in_postgresql_too(stack: Stack) -> None:
    """What docs/subscribe.md says of the statement SEEN: the row is locked, also a new one."""
    tables, seen = statements("aiokafka")
    schema = f"example_{secrets.token_hex(5)}"
    path = {"search_path": schema}
    one = await asyncpg.connect(stack.postgres, server_settings=path)
    other = await asyncpg.connect(stack.postgres, server_settings=path)
    try:
        await one.execute(f"CREATE SCHEMA {schema}; {tables}")
        async with one.transaction():
            assert await one.fetchval(seen, "pay_1") == 0
            waiting = asyncio.create_task(other.fetchval(seen, "pay_1"))
            await until(lambda: waits(one, other), COMES_WITHIN_S, "the other one waits")
            await one.execute("UPDATE payments SET sequence = 1 WHERE id = 'pay_1'")
        assert await waiting == 1
    finally:
        await one.execute(f"DROP SCHEMA {schema} CASCADE")
        await other.close()
        await one.close()


async def waits(one: asyncpg.Connection, other: asyncpg.Connection) -> bool:
    """Whether the other connection waits for a lock."""
    sql = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $1"
    return bool(await one.fetchval(sql, other.get_server_pid()))


def test_the_example_for_node_is_run() -> None:
    if "kafkajs" not in available():
        pytest.skip(f"no {NODE_MODULES}/kafkajs: `make .headgate/examples` fetches it with npm")
