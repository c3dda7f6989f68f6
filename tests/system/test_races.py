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
from tests.system.harness_place import until
from tests.system.harness_races import Races, racing
from tests.system.harness_workers import FAULTS, Workers

pytestmark = [pytest.mark.system]

SHORT = 16
LONG = int(os.environ.get("HEADGATE_FAULTS_RACES", "1000"))
ROUNDS_WITHIN_S = 120.0
"""How long `SHORT` rounds may take in which nobody dies."""
MODES = ("quiet", "killrestart", "zombie")
"""Nobody dies; settle is killed and comes back; settle is frozen, and thaws when another one has
taken over."""


async def faults(workers: Workers, races: Races, mode: str, race: asyncio.Task[None]) -> None:
    """Break settle while the race goes on, once per `SHORT` finished rounds, and each time when
    both workers work again: broken without pause it would only start, and nobody would race."""
    breaks = 0

    async def due() -> bool:
        return race.done() or races.finished >= breaks * SHORT

    while True:
        await until(due, ROUNDS_WITHIN_S, f"{SHORT} more rounds after break {breaks}")
        if race.done():
            return
        breaks += 1
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
    breaking = asyncio.create_task(faults(workers, races, mode, race))
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
