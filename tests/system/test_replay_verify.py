"""Recorded commands settled again by a real worker in a scratch namespace, which is then gone
(08 R35)."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from headgate.embedded.stack import Stack
from headgate.replay.compared import Comparison
from headgate.replay.decisions import Recording
from headgate.replay.file_source import FileSource
from headgate.replay.recorded import Recorded
from headgate.replay.scratch import MARK, drop_leftovers, scratch
from headgate.replay.selection import Selection
from headgate.replay.verify import recorded as recorded_in
from headgate.replay.verify import verified
from headgate.streams.bus import Record
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS
from tests.conftest import settings_of
from tests.system.harness_commands import publishing
from tests.system.harness_place import Place, opened, until
from tests.system.harness_workers import Workers
from tests.unit.replay_lives import lives, recorded

CORPUS = Path(__file__).parents[1] / "corpus" / "shop.ndjson.zst"
pytestmark = [pytest.mark.system, pytest.mark.timeout(170)]


@pytest.fixture
def base(stack: Stack) -> Settings:
    """The servers; this namespace itself is never made."""
    return settings_of(stack, "t0verify")


def recording(*, mutate: bool = False) -> Recording:
    """Payments on several partitions, as they were decided."""
    found = Recording()
    for record in recorded(lives(payments=40, partitions=3)):
        value = record.value or b""
        if mutate and record.topic == "payments.facts" and b'"type":"refund.created"' in value:
            value = value.replace(b'"amount_refund_pending":20000', b'"amount_refund_pending":1')
        found.add(replace(record, value=value))
    return found


def quiet(what: str, done: int, total: int) -> None:
    """Progress that nobody reads."""


async def standing(base: Settings) -> list[str]:
    """Topics and schemas of scratch namespaces that are there."""
    admin = AIOKafkaAdminClient(bootstrap_servers=base.kafka)
    await admin.start()
    try:
        topics = [name for name in await admin.list_topics() if name.startswith("scratch_")]
    finally:
        await admin.close()
    connection = await asyncpg.connect(base.postgres, timeout=10)
    try:
        rows = await connection.fetch(
            "select nspname from pg_namespace where starts_with(nspname, 'headgate_scratch_')"
        )
    finally:
        await connection.close()
    return [*topics, *(row["nspname"] for row in rows)]


async def until_nothing_stands(base: Settings) -> None:
    """Wait until all is gone: brokers still list a topic for a moment that was deleted."""

    async def nothing() -> bool:
        return await standing(base) == []

    await until(nothing, 20, "no scratch namespace left")


async def test_a_worker_decides_the_corpus_as_it_was_recorded_and_leaves_nothing(
    base: Settings,
) -> None:
    corpus = await recorded_in(FileSource(CORPUS, Selection()), quiet)
    comparison = await verified(corpus, base, quiet)
    assert comparison.as_json()["differences"] == []
    assert comparison.commands > 300
    assert (comparison.not_recorded_yet, comparison.only_facts) == (0, False)
    await until_nothing_stands(base)


async def test_a_mutated_fact_is_found_by_a_worker_too(base: Settings) -> None:
    comparison: Comparison = await verified(recording(mutate=True), base, quiet)
    assert {one.what for one in comparison.differences} == {"fact"}
    assert len(comparison.differences) == 40
    (change,) = comparison.differences[0].changes
    assert change.told() == "data.payment.amount_refund_pending: recorded 1, today 20000"


async def test_the_verb_holds_todays_code_to_a_log_and_to_its_capture(
    stack: Stack, tmp_path: Path
) -> None:
    commands = lives(payments=20, partitions=4)
    async with opened(stack) as place:
        await append(commands, place.settings)
        settle = Workers(place, "settle", tmp_path)
        try:
            await settle.start(0)
            await until(lambda: settled(place, len(commands)), 60, f"all settled{settle.tails()}")
            await settle.stop()
        finally:
            settle.kill()
        said = await headgate(place, "replay", "--verify", "log")
        assert "compared 20 payments: 80 commands and " in said
        assert "today's code decides all of it as it was recorded" in said
        file = str(tmp_path / "lives.ndjson.zst")
        await headgate(place, "capture", "--with-operations", file)
        assert "only facts" not in await headgate(place, "replay", "--verify", "--in-memory", file)
        assert "no scratch namespace" in await headgate(place, "replay", "--verify", "--clean")


async def append(commands: list[Recorded], here: Settings) -> None:
    """Put commands onto the log, as an edge would."""
    topic = PAYMENT_COMMANDS.full_name(here)
    async with publishing(here) as bus:
        await bus.publish_until_acked(
            [Record(topic, one.partition, one.key or b"", one.value) for one in commands]
        )


async def settled(place: Place, count: int) -> bool:
    """Whether so many commands are decided, and told."""
    sql = "select coalesce(sum(published_offset), 0) from claims where topic = $1"
    return await place.number(sql, PAYMENT_COMMANDS.name) == count


async def headgate(place: Place, *words: str) -> str:
    """What the command line says, when it ends well."""
    verb = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "headgate", *words,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=place.environment,
    )  # fmt: skip
    said, complained = await asyncio.wait_for(verb.communicate(), 100)
    assert verb.returncode == 0, complained.decode()
    return said.decode()


async def test_a_run_that_is_interrupted_leaves_nothing(base: Settings) -> None:
    settling = asyncio.Event()

    def tell(what: str, done: int, total: int) -> None:
        if what == "appending":
            settling.set()

    run = asyncio.create_task(verified(recording(), base, tell))
    await settling.wait()
    assert await standing(base) != []
    run.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await run
    await until_nothing_stands(base)


async def test_what_a_run_left_whose_database_went_away_is_told_and_dropped_by_the_next(
    base: Settings,
) -> None:
    connection = await asyncpg.connect(base.postgres, timeout=10)
    try:
        with pytest.raises(StoreUnavailable, match="by the next run"):
            async with scratch(base, 1) as here:
                await connection.fetch(
                    "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
                )
        assert here.schema_name in await standing(base)
        assert await drop_leftovers(base) == [here.namespace]
    finally:
        await connection.close()


async def test_what_a_killed_run_left_is_dropped_and_what_lives_is_not(base: Settings) -> None:
    dead = base.model_copy(update={"namespace": "scratch_dead", "partitions": 1})
    connection = await asyncpg.connect(base.postgres, timeout=10)
    try:
        await connection.execute(f"create schema {dead.schema_name}")
        await connection.execute(f"comment on schema {dead.schema_name} is '{MARK}, by nobody'")
        await connection.execute("create schema headgate_scratch_of_a_person")
        async with scratch(base, 1) as living:
            # Making it has dropped the dead one; asked again there is nothing to drop.
            assert await drop_leftovers(base) == []
            names = {name for name in await standing(base) if name.startswith("headgate_")}
            assert names == {living.schema_name, "headgate_scratch_of_a_person"}
    finally:
        await connection.execute("drop schema headgate_scratch_of_a_person")
        await connection.close()
    await until_nothing_stands(base)
