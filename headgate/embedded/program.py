"""One process that the supervisor keeps running: an embedded server or a role of ours."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Tell = Callable[[str], None]
"""Tells the person who waits what is being done, in a few words."""

Prepare = Callable[[Tell], Awaitable[Sequence[str | Path]]]
"""Makes everything ready and answers the command; runs before every start."""

Probe = Callable[[], Awaitable[str]]
"""Answers what is wrong in a few words, or nothing when the program does its work.
Bounded in time; never raises."""

REFUSED = "nothing listens there"
"""What every probe says of a server that has not opened its port."""


@dataclass(frozen=True)
class Program:
    """How to start, question and stop one process."""

    role: str
    """Its name in `status`, in log file names and in `--json`."""
    title: str
    """Its name for people."""
    prepare: Prepare
    probe: Probe | None
    """None for a program that answers nobody: it works once it runs."""
    log: Path
    environment: Mapping[str, str] | None = None
    """None means the clean environment of a server."""
    user: str = ""
    """The user it runs as, when not as ourselves."""
    port: int | None = None
    instance_id: str = ""
    hold: Path | None = None
    """While this file exists the program is not started again; tests use it."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_wait_s: float = 4
    """How long it may take to stop before it is killed."""
    death_signal: signal.Signals = signal.SIGKILL
    """What it gets when the supervisor dies without having stopped it."""
