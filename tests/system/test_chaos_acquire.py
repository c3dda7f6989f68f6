"""The acquire worker under chaos: every request has its one answer, whatever dies (08 R4, R7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.embedded.stack import Stack
from tests.system.harness_chaos import Scenario, survive_together
from tests.system.harness_workers import FAULTS

pytestmark = [pytest.mark.system, pytest.mark.chaos, pytest.mark.timeout(300)]

SECONDS = 12


@pytest.mark.parametrize("static", [True, False], ids=["static", "dynamic"])
async def test_every_request_is_answered_whatever_dies_08_r4_r7(
    stack: Stack, tmp_path: Path, static: bool
) -> None:
    """All five modes at once, each in a namespace of its own."""
    scenarios = [Scenario("acquire", mode, static, SECONDS) for mode in FAULTS]
    await survive_together(stack, tmp_path, scenarios)
