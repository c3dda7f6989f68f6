"""How far a process steps back behind the others of its machine."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")
"""Linux weighs sessions against each other before processes (sched(7), "The autogroup feature"): a
process that leads a session of its own steps back behind nobody by its niceness alone."""


def step_back(niceness: int) -> None:
    """Let others go first, by `niceness` from 0 (not at all) to 19 (as far as possible)."""
    os.nice(niceness)
    with contextlib.suppress(OSError):  # No Linux, no autogroups, or not ours to change.
        AUTOGROUP.write_text(str(niceness))
