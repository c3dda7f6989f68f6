"""The delay pump on the real broker: nothing lost, nothing early, few repeats, whatever dies.

Pumps that die in turns are for `make faults`; `make test` has the storm, which kills too.
"""

from __future__ import annotations

import asyncio
import signal

import pytest

from headgate.embedded.stack import Stack
from headgate.streams.declare import declare
from headgate.streams.settings import Settings
from tests.system.harness_delays import Load, pumping, run

pytestmark = [pytest.mark.system, pytest.mark.chaos, pytest.mark.timeout(180)]

WAITS_MS = (1000, 1500, 2500, 5000, 5400)


@pytest.mark.faults
@pytest.mark.parametrize("static", [True, False], ids=["static", "dynamic"])
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
async def test_no_delayed_record_is_lost_or_early_when_pumps_die_08_r26(
    stack: Stack, live_settings: Settings, static: bool, signum: signal.Signals
) -> None:
    await declare(live_settings)
    load = Load(3000, 12, WAITS_MS)
    with pumping(stack, live_settings, 2, static=static) as pumps:

        async def havoc() -> None:
            for turn in range(4):
                await asyncio.sleep(3)
                await pumps.again(turn % 2, signum)

        arrivals = await run(live_settings, load, havoc)
    arrivals.check(load.count)


async def test_a_frozen_pump_that_thaws_hands_off_nothing_that_others_have(
    stack: Stack, live_settings: Settings
) -> None:
    await declare(live_settings)
    load = Load(2000, 14, WAITS_MS)
    with pumping(stack, live_settings, 2, static=True) as pumps:

        async def havoc() -> None:
            await asyncio.sleep(5)
            pumps.send(0, signal.SIGSTOP)
            await asyncio.sleep(10)
            pumps.send(0, signal.SIGCONT)
            await asyncio.sleep(2)

        arrivals = await run(live_settings, load, havoc)
    arrivals.check(load.count)
