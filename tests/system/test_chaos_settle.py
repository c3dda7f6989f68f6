"""The settle worker under chaos: every command is settled once, whatever dies (00 A5, 08 R1-R4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.embedded.stack import Stack
from tests.system.harness_chaos import Scenario, survive_together
from tests.system.harness_workers import FAULTS

pytestmark = [pytest.mark.system, pytest.mark.chaos, pytest.mark.timeout(300)]

SECONDS = 15


@pytest.mark.parametrize("static", [True, False], ids=["static", "dynamic"])
async def test_every_command_is_settled_once_whatever_dies_08_r1_r4(
    stack: Stack, tmp_path: Path, static: bool
) -> None:
    """All five modes at once, each in a namespace of its own."""
    scenarios = [Scenario("settle", mode, static, SECONDS) for mode in FAULTS]
    await survive_together(stack, tmp_path, scenarios)
