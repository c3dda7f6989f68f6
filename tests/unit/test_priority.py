"""A process that steps back lets others go first, also one that leads a session of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from headgate.streams import priority

STEP_BACK = """
import os
from headgate.streams import priority
priority.step_back(7)
print(os.nice(0))
print(priority.AUTOGROUP.read_text() if priority.AUTOGROUP.exists() else "")
"""


def stepped_back() -> list[str]:
    """What a process in a session of its own says of itself after it stepped back."""
    told = subprocess.run(
        [sys.executable, "-c", STEP_BACK],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
    )
    return told.stdout.splitlines()


def test_the_process_steps_back() -> None:
    assert int(stepped_back()[0]) >= 7


@pytest.mark.skipif(not priority.AUTOGROUP.exists(), reason="this kernel has no autogroups")
def test_its_session_steps_back_too() -> None:
    """With autogroups a session leader's niceness weighs nothing against other sessions."""
    assert stepped_back()[1].endswith("nice 7")
