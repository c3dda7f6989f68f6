"""Fifty want the same money at once: exactly one gets it, whatever dies (00 §6, 3).

`make test` runs a few rounds, `make faults` HEADGATE_FAULTS_RACES (1,000) of them per mode.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from headgate.embedded.stack import Stack
from tests.system.harness_races import Races, racing
from tests.system.harness_workers import FAULTS, Workers

pytestmark = [pytest.mark.system]

SHORT = 16
LONG = int(os.environ.get("HEADGATE_FAULTS_RACES", "1000"))
MODES = ("quiet", "killrestart", "zombie")
"""Nobody dies; settle is killed and comes back; settle is frozen, and thaws when another one has
taken over."""


async def faults(workers: Workers, mode: str, race: asyncio.Task[None], rounds: int) -> None:
    """Break settle while the race goes on, once per sixteen rounds, each time when both workers
    work again."""
    for _ in range(max(1, rounds // SHORT)):
        if race.done():
            return
        before = await workers.owners()
        await FAULTS[mode](workers)
        await workers.until_owned(lambda owners: owners != before, "a new incarnation")  # noqa: B023
        await workers.until_both_work()


async def run(races: Races, workers: Workers, mode: str, count: int) -> None:
    """The rounds, with faults beside them."""
    if mode == "quiet":
        await races.run(count)
        return
    race = asyncio.create_task(races.run(count))
    breaking = asyncio.create_task(faults(workers, mode, race, count))
    await race
    await breaking


async def survive(stack: Stack, logs: Path, mode: str, count: int) -> None:
    """All rounds in one namespace, then the checks."""
    async with racing(stack, logs) as (races, workers):
        await run(races, workers, mode, count)
        await races.check()
        workers.assert_no_surprise()
        sys.stdout.write(f"\n{count} rounds, {mode}: {dict(races.statuses)}; {workers.exits}\n")


@pytest.mark.chaos
@pytest.mark.timeout(240)
@pytest.mark.parametrize("mode", MODES)
async def test_of_fifty_at_once_exactly_one_wins(stack: Stack, tmp_path: Path, mode: str) -> None:
    await survive(stack, tmp_path, mode, SHORT)


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", MODES)
async def test_of_fifty_at_once_exactly_one_wins_a_thousand_times(
    stack: Stack, tmp_path: Path, mode: str
) -> None:
    await survive(stack, tmp_path, mode, LONG)
