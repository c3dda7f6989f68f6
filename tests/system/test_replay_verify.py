"""Recorded commands settled again by a real worker in a scratch namespace, which is then gone
(08 R35)."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from headgate.embedded.stack import Stack
from headgate.replay.compared import Comparison
from headgate.replay.decisions import Recording
from headgate.replay.scratch import MARK, drop_leftovers, scratch
from headgate.replay.verify import verified
from headgate.streams.settings import Settings
from tests.conftest import settings_of
from tests.unit.replay_lives import lives, recorded

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


async def test_a_worker_decides_again_what_was_recorded_and_leaves_nothing(base: Settings) -> None:
    comparison = await verified(recording(), base, quiet)
    assert comparison.as_json()["differences"] == []
    assert (comparison.payments, comparison.commands) == (40, 160)
    assert not comparison.only_facts
    assert await standing(base) == []


async def test_a_mutated_fact_is_found_by_a_worker_too(base: Settings) -> None:
    comparison: Comparison = await verified(recording(mutate=True), base, quiet)
    assert {one.what for one in comparison.differences} == {"fact"}
    assert len(comparison.differences) == 40
    (change,) = comparison.differences[0].changes
    assert change.told() == "data.payment.amount_refund_pending: recorded 1, today 20000"


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
    assert await standing(base) == []


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
    assert await standing(base) == []
