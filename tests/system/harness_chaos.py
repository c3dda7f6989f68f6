"""Chaos scenarios of one role each: steady load, a fault after a third, then the checks."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.merchant import receiving
from headgate.embedded.stack import Stack
from headgate.streams.bus import Record
from headgate.streams.settings import Settings
from tests.system.harness_answered import TOPICS as ANSWER_TOPICS
from tests.system.harness_answered import answer_delays, check_answers, request, until_answered
from tests.system.harness_commands import create, on_commands, paced, publishing
from tests.system.harness_log import Delays, reading
from tests.system.harness_notified import (
    RETRIES,
    check_webhooks,
    create_shop,
    told,
    until_delivered,
)
from tests.system.harness_place import Place, opened
from tests.system.harness_settled import TOPICS as SETTLE_TOPICS
from tests.system.harness_settled import check, delays, wait_for_all
from tests.system.harness_workers import FAULTS, Workers, two_workers

RATE = 200
CATCH_UP_WITHIN_S = 60.0


@dataclass(frozen=True)
class Scenario:
    """Which role meets which fault, how, and for how long."""

    role: str
    mode: str
    static: bool
    seconds: float

    @property
    def count(self) -> int:
        """How many records the load has."""
        return round(RATE * self.seconds)

    @property
    def membership(self) -> dict[str, str]:
        """The environment that makes it static or dynamic."""
        return {"HEADGATE_STATIC_MEMBERSHIP": str(self.static).lower()}

    def __str__(self) -> str:
        kind = "static" if self.static else "dynamic"
        return f"{self.role:8}{self.mode:12} {kind:8} {self.count} records"

    async def under_load(
        self, place: Place, workers: Workers, records_of: Callable[[Settings, int], list[Record]]
    ) -> None:
        """The load, and the fault when a third of it is over."""

        async def fault() -> None:
            await asyncio.sleep(self.seconds / 3)
            await FAULTS[self.mode](workers)

        async with publishing(place.settings) as bus, asyncio.TaskGroup() as group:
            group.create_task(paced(bus, lambda n: records_of(place.settings, n), RATE, self.count))
            group.create_task(fault())


@dataclass(frozen=True)
class Report:
    """How a scenario that passed its checks went."""

    scenario: Scenario
    repeats: int
    exits: list[tuple[int, int]]
    delays: Delays | None = None

    def __str__(self) -> str:
        waited = ""
        if self.delays is not None:
            waited = f"  delay p50 {self.delays.middle_ms} ms, longest {self.delays.longest_ms} ms"
        return (
            f"{self.scenario}{waited}  {self.repeats} outputs repeated, "
            f"exits (slot, code) {self.exits}"
        )


async def settle_survives(stack: Stack, logs: Path, scenario: Scenario) -> Report:
    """Every command is settled once (08 R1 to R4)."""
    async with (
        opened(stack, **scenario.membership) as place,
        reading(place.settings, *SETTLE_TOPICS) as log,
        two_workers(place, "settle", logs) as workers,
    ):
        await scenario.under_load(
            place, workers, lambda settings, n: [on_commands(settings, create(n))]
        )
        await wait_for_all(place, log, scenario.count, CATCH_UP_WITHIN_S)
        await workers.stop()
        await log.until_end()
        await check(place, log, [create(number) for number in range(scenario.count)])
        workers.assert_no_surprise()
        found = delays(log)
        return Report(scenario, found.repeats, workers.exits, found)


async def acquire_survives(stack: Stack, logs: Path, scenario: Scenario) -> Report:
    """Every request has its one answer (08 R4, R7)."""
    async with (
        opened(stack, **scenario.membership) as place,
        reading(place.settings, *ANSWER_TOPICS) as log,
        two_workers(place, "acquire", logs) as workers,
    ):
        await scenario.under_load(place, workers, lambda settings, n: [request(settings, n)])
        await until_answered(log, scenario.count, CATCH_UP_WITHIN_S)
        await workers.stop()
        await log.until_end()
        await check_answers(place, log, scenario.count)
        workers.assert_no_surprise()
        found = answer_delays(log)
        return Report(scenario, found.repeats, workers.exits, found)


async def notify_survives(stack: Stack, logs: Path, scenario: Scenario) -> Report:
    """Every event arrives under its one id, those that were refused once as well (08 R27)."""
    async with (
        opened(stack, **scenario.membership, **RETRIES) as place,
        receiving() as sink,
    ):
        merchant_id = await create_shop(place.settings, sink)
        async with two_workers(place, "notify", logs) as workers:
            await scenario.under_load(
                place, workers, lambda settings, n: [told(settings, merchant_id, n)]
            )
            await until_delivered(place, sink, scenario.count, CATCH_UP_WITHIN_S)
            await workers.stop()
            repeats = await check_webhooks(place, sink, merchant_id, scenario.count)
            workers.assert_no_surprise()
            return Report(scenario, repeats, workers.exits)


async def survive(stack: Stack, logs: Path, scenario: Scenario) -> Report:
    """The scenario of its role."""
    roles = {
        "settle": settle_survives,
        "acquire": acquire_survives,
        "notify": notify_survives,
    }
    return await roles[scenario.role](stack, logs, scenario)


async def survive_together(stack: Stack, logs: Path, scenarios: Sequence[Scenario]) -> None:
    """Run scenarios at once, each in a namespace of its own, and print how they went."""
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(survive(stack, logs, scenario)) for scenario in scenarios]
    for run in runs:
        sys.stdout.write(f"{run.result()}\n")
