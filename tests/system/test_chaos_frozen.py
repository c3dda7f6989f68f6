"""A settle worker frozen between its commit and its outputs, thawed after others have gone on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.processes import state_of
from headgate.embedded.stack import Stack
from headgate.streams.bus import Bus
from headgate.streams.engine.claims import EXIT_CLAIM_LOST, EXIT_SUPERSEDED
from tests.system.harness_commands import approval, create, on_commands, publishing
from tests.system.harness_log import LogReader, reading
from tests.system.harness_place import Place, opened, until
from tests.system.harness_settled import TOPICS, by_event
from tests.system.harness_workers import Child, Workers

pytestmark = [pytest.mark.system, pytest.mark.chaos, pytest.mark.timeout(180)]

FIRST, SECOND = range(40), range(40, 60)
"""Payments created before and after the freeze."""
CRASH_AT = "settle.stored:3:STOP"
FACTS_OF_A_SUCCESS = 6
ROWS = (
    "select id, version, state, record::text from payments order by id",
    "select payment_id, sequence, type, payload from facts order by payment_id, sequence",
    'select command_id, refusal, partition, "offset" from operations order by command_id',
)
"""All that settle has stored."""


async def stored(place: Place) -> list[Sequence[object]]:
    """Everything that settle has stored, to compare."""
    return [[tuple(row) for row in await place.rows(sql)] for sql in ROWS]


async def until_versions(place: Place, numbers: range, version: int) -> None:
    """Wait until these payments have come to a version."""
    wanted = [create(number).payment_id for number in numbers]

    async def reached() -> bool:
        found = "select count(*) from payments where id = any($1) and version = $2"
        return await place.number(found, wanted, version) == len(wanted)

    await until(reached, 60, f"{len(wanted)} payments at version {version}")


async def freeze_in_mid_work(place: Place, bus: Bus, worker: Child) -> None:
    """Feed the worker until it stops itself behind its third commit."""

    async def stopped() -> bool:
        return state_of(worker.process.pid) == "T"

    for number in FIRST:
        await bus.publish_until_acked([on_commands(place.settings, create(number))])
        await asyncio.sleep(0.02)
    await until(stopped, 30, "the worker frozen behind its commit")


async def check_log(place: Place, log: LogReader) -> None:
    """Every stored fact is on the log with its bytes, and nothing else is."""
    await log.until_end()
    rows = await place.rows("select event_id, payload from facts")
    told = by_event(log)
    assert {event: {seen.value for seen in copies} for event, copies in told.items()} == {
        row["event_id"]: {row["payload"]} for row in rows
    }
    assert len(told) == FACTS_OF_A_SUCCESS * len(FIRST) + 3 * len(SECOND)


async def test_a_worker_frozen_behind_its_commit_changes_nothing_when_it_thaws_08_r1(
    stack: Stack, tmp_path: Path
) -> None:
    """Its late outputs are repeats, its late changelog is caught by the payments' versions. The
    successor has its instance id or another one; members are static or dynamic."""
    async with asyncio.TaskGroup() as group:
        for static in (True, False):
            for successor in (0, 1):
                group.create_task(thaws_harmlessly(stack, tmp_path, static, successor))


async def thaws_harmlessly(stack: Stack, logs: Path, static: bool, successor: int) -> None:
    """One of the four cases."""
    membership = {"HEADGATE_STATIC_MEMBERSHIP": str(static).lower()}
    async with (
        opened(stack, **membership) as place,
        reading(place.settings, *TOPICS) as log,
        publishing(place.settings) as bus,
    ):
        workers = Workers(place, "settle", logs)
        try:
            frozen = await workers.start(0, HEADGATE_CRASH_AT=CRASH_AT)
            await workers.until_only(0)
            await freeze_in_mid_work(place, bus, frozen)
            await workers.start(successor)
            await go_on_without_it(place, bus)
            before = await stored(place)
            frozen.send(signal.SIGCONT)
            await leave_or_rejoin(workers, frozen, successor)
            assert await stored(place) == before
            await decide_from_stale_state(place, bus, workers, successor)
            await workers.stop()
            await check_log(place, log)
            workers.assert_no_surprise()
        finally:
            workers.kill()
            await workers.stop()


async def go_on_without_it(place: Place, bus: Bus) -> None:
    """What the frozen worker had decided is decided further, and more comes."""
    await until_versions(place, FIRST, 1)
    await bus.publish_until_acked(
        [on_commands(place.settings, approval(number)) for number in FIRST]
        + [on_commands(place.settings, create(number)) for number in SECOND]
    )
    await until_versions(place, FIRST, 2)
    await until_versions(place, SECOND, 1)


async def leave_or_rejoin(workers: Workers, thawed: Child, successor: int) -> None:
    """Superseded by its own id it leaves for good. Otherwise it is refused and starts afresh, or
    hears of the rebalance first and joins again; either way under a fresh claim."""
    if successor == thawed.slot:
        assert await thawed.ended(40) == EXIT_SUPERSEDED
        return
    await workers.until_both_work()
    assert thawed.process.returncode in (None, EXIT_CLAIM_LOST)


async def decide_from_stale_state(place: Place, bus: Bus, workers: Workers, successor: int) -> None:
    """A worker that starts from a changelog with the frozen one's late entries still refuses a
    second answer to what is decided: the compare and set lets no stale entry become a fact."""
    for child in workers.newest.values():
        child.send(signal.SIGKILL)
        await child.ended()
    facts = "select count(*) from facts"
    known = await place.number(facts)
    await workers.start(successor)
    await bus.publish_until_acked(
        [on_commands(place.settings, approval(number, look=1)) for number in FIRST]
    )

    async def refused() -> bool:
        sql = "select count(*) from operations where refusal = 'attempt_answered'"
        return await place.number(sql) == len(FIRST)

    await until(refused, 60, f"the second answers refused{workers.tails()}")
    assert await place.number(facts) == known
