"""A chaos scenario of the settle worker: steady load, a fault after a third, then the checks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from headgate.embedded.stack import Stack
from tests.system.harness_commands import create, on_commands, paced, publishing
from tests.system.harness_log import reading
from tests.system.harness_place import opened
from tests.system.harness_settled import TOPICS, Delays, check, delays, wait_for_all
from tests.system.harness_workers import FAULTS, two_workers

RATE = 200
CATCH_UP_WITHIN_S = 60.0


@dataclass(frozen=True)
class Report:
    """How a scenario that passed its checks went."""

    mode: str
    static: bool
    sent: int
    delays: Delays
    exits: list[tuple[int, int]]

    def __str__(self) -> str:
        return (
            f"settle {self.mode:12} {'static' if self.static else 'dynamic':8} {self.sent} payments"
            f"  delay p50 {self.delays.middle_ms} ms, longest {self.delays.longest_ms} ms"
            f"  {self.delays.repeats} facts repeated, exits (slot, code) {self.exits}"
        )


async def settle_survives(
    stack: Stack, logs: Path, mode: str, *, static: bool, seconds: float
) -> Report:
    """Run one mode and check that every command was settled once (08 R1 to R4)."""
    count = round(RATE * seconds)
    membership = {"HEADGATE_STATIC_MEMBERSHIP": str(static).lower()}
    async with (
        opened(stack, **membership) as place,
        reading(place.settings, *TOPICS) as log,
        two_workers(place, "settle", logs) as workers,
        publishing(place.settings) as bus,
    ):

        async def fault() -> None:
            await asyncio.sleep(seconds / 3)
            await FAULTS[mode](workers)

        async with asyncio.TaskGroup() as group:
            group.create_task(
                paced(bus, lambda n: [on_commands(place.settings, create(n))], RATE, count)
            )
            group.create_task(fault())
        await wait_for_all(place, log, count, CATCH_UP_WITHIN_S)
        await workers.stop()
        await log.until_end()
        await check(place, log, [create(number) for number in range(count)])
        assert not workers.surprises, f"ended unasked: {workers.surprises}{workers.tails()}"
        return Report(mode, static, count, delays(log), workers.exits)
