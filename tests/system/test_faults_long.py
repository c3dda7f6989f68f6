"""The chaos of all three workers at length, round after round: `make faults`.

HEADGATE_FAULTS_SECONDS (45) is the time under load, HEADGATE_FAULTS_ROUNDS (5) how often each mode
runs: the holes of 03 §11.2 show in one run of two. Longest delays are printed, never asserted.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from headgate.embedded.stack import Stack
from tests.system.harness_chaos import Scenario, survive_together
from tests.system.harness_workers import FAULTS

pytestmark = [pytest.mark.system, pytest.mark.faults, pytest.mark.timeout(600)]

SECONDS = float(os.environ.get("HEADGATE_FAULTS_SECONDS", "45"))
ROUNDS = int(os.environ.get("HEADGATE_FAULTS_ROUNDS", "5"))
ALONE = "killrestart"
"""The mode whose longest delay is a promise (07 G12), so nothing else runs beside it."""


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
@pytest.mark.parametrize("static", [True, False], ids=["static", "dynamic"])
@pytest.mark.parametrize("role", ["settle", "acquire", "notify"])
async def test_nothing_is_lost_or_doubled_round_after_round_08_r37(
    stack: Stack, tmp_path: Path, role: str, static: bool, number: int
) -> None:
    sys.stdout.write(f"\nround {number} of {ROUNDS}\n")
    await survive_together(stack, tmp_path, [Scenario(role, ALONE, static, SECONDS)])
    others = [Scenario(role, mode, static, SECONDS) for mode in FAULTS if mode != ALONE]
    await survive_together(stack, tmp_path, others)
