"""The settle worker under chaos: every command is settled once, whatever dies (00 A5, 08 R1-R4)."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from headgate.embedded.stack import Stack
from tests.system.harness_chaos import Scenario, settle_survives
from tests.system.harness_workers import FAULTS

pytestmark = [pytest.mark.system, pytest.mark.chaos, pytest.mark.timeout(300)]

SECONDS = 15


@pytest.mark.parametrize("static", [True, False], ids=["static", "dynamic"])
async def test_every_command_is_settled_once_whatever_dies_08_r1_r4(
    stack: Stack, tmp_path: Path, static: bool
) -> None:
    """All five modes at once, each in a namespace of its own."""
    scenarios = [Scenario("settle", mode, static, SECONDS) for mode in FAULTS]
    async with asyncio.TaskGroup() as group:
        runs = [
            group.create_task(settle_survives(stack, tmp_path, scenario)) for scenario in scenarios
        ]
    for run in runs:
        sys.stdout.write(f"{run.result()}\n")
