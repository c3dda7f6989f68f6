"""The acquire worker under chaos: every request has its one answer, whatever dies (08 R4, R7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.embedded.stack import Stack
from tests.system.harness_chaos import Scenario, survive_together

pytestmark = [pytest.mark.system, pytest.mark.chaos, pytest.mark.timeout(300)]

SECONDS = 12
MODES = ("kill", "zombie", "rolling")
"""Killed, frozen and rolled in mid-work; `make faults` runs all five."""


async def test_every_request_is_answered_whatever_dies_08_r4_r7(
    stack: Stack, tmp_path: Path
) -> None:
    """All modes at once, static and dynamic, each in a namespace of its own."""
    scenarios = [
        Scenario("acquire", mode, static, SECONDS) for mode in MODES for static in (True, False)
    ]
    await survive_together(stack, tmp_path, scenarios)
