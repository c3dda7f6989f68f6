"""Load tests that this process has started: `headgate replay` as a child, one at a time."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from headgate.streams.settings import Settings

RUNNING_MAX = 1
"""Load tests of one process at a time: two would measure each other."""
REMEMBERED_MAX = 20
"""Ends that are remembered; a run that reached PostgreSQL is told there for good."""
SAID_BYTES_MAX = 4000
"""Of what a run writes to its standard error, the last that is kept."""
ENDS_WITHIN_S = 10.0
"""How long a run may take to put its journal in order when this process ends."""
STARTED_BY = "HEADGATE_STARTED_BY"
"""Names, in a run's environment, whose run it is."""
CAPTURES_MAX = 100
"""Captures that are offered, the newest."""
_ENDINGS = (".ndjson", ".ndjson.zst", ".parquet")


class RunsFull(Exception):
    """As many runs as may be are under way; nothing was started."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run's process ended."""

    code: int
    said: str
    """The end of its standard error."""


AtEnd = Callable[[Ended], Awaitable[None]]


class ReplayRuns:
    """A run lives no longer than this process: nobody would look after it. It can be resumed on the
    command line, since its journal is in the state folder.

    `edge_url` is where it sends to; `environment` is what it gets, from which it reads the settings
    of this process.
    """

    def __init__(self, settings: Settings, edge_url: str) -> None:
        self.edge_url = edge_url
        self.environment: Mapping[str, str] = os.environ
        self._folder = settings.state_dir / "replays"
        self._captures = settings.state_dir / "captures"
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._children: dict[str, Process] = {}
        self._ended: dict[str, Ended] = {}
        self._starting = asyncio.Lock()

    @property
    def is_full(self) -> bool:
        """Whether one more would be too many."""
        return len(self._children) >= RUNNING_MAX

    def is_running(self, run_id: str) -> bool:
        """Whether the run is a child of this process that has not ended."""
        return run_id in self._children

    def ended(self, run_id: str) -> Ended | None:
        """How a child of this process ended; None for others, and for those forgotten."""
        return self._ended.get(run_id)

    def report_path(self, run_id: str) -> Path:
        """Where the run writes its page for people."""
        return self._folder / f"{run_id}.html"

    def captures(self) -> list[Path]:
        """Capture files of the state folder, the newest first."""
        if not self._captures.is_dir():
            return []
        found = [path for path in self._captures.iterdir() if path.name.endswith(_ENDINGS)]
        found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        return found[:CAPTURES_MAX]

    def differences_path(self, run_id: str) -> Path:
        """Where a run that verifies writes what it found, for machines."""
        return self._folder / f"{run_id}.differences.json"

    async def start(
        self, run_id: str, words: Sequence[str], actor: str, at_end: AtEnd | None = None
    ) -> None:
        """Begin a run. `words` are those of the command line behind `headgate replay`; `at_end` is
        told how it ended. Raises RunsFull."""
        command = (sys.executable, "-m", "headgate", "replay", *words)
        environment = {**self.environment, STARTED_BY: actor}
        async with self._starting:
            if self.is_full:
                raise RunsFull
            child = await asyncio.create_subprocess_exec(
                *command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, env=environment
            )
            self._children[run_id] = child
        following = self._follow(run_id, child, at_end)
        self._tasks[run_id] = asyncio.create_task(following, name="replay-run")

    def stop(self, run_id: str) -> bool:
        """Ask a child of this process to end; False when there is no such one."""
        child = self._children.get(run_id)
        if child is None:
            return False
        with suppress(ProcessLookupError):
            child.terminate()
        return True

    async def _follow(self, run_id: str, child: Process, at_end: AtEnd | None) -> None:
        """Read what it says, so that it never waits for a reader, and remember its end."""
        assert child.stderr is not None  # noqa: S101  it was asked for
        said = b""
        while chunk := await child.stderr.read(SAID_BYTES_MAX):
            said = (said + chunk)[-SAID_BYTES_MAX:]
        code = await child.wait()
        ended = self._ended[run_id] = Ended(code, said.decode(errors="replace").strip())
        while len(self._ended) > REMEMBERED_MAX:
            del self._ended[next(iter(self._ended))]
        try:
            if at_end is not None:
                await at_end(ended)
        finally:
            del self._children[run_id], self._tasks[run_id]

    async def close(self) -> None:
        """End every run: by asking, and when that takes too long by force."""
        tasks = list(self._tasks.values())
        for child in self._children.values():
            with suppress(ProcessLookupError):
                child.terminate()
        if tasks:
            await asyncio.wait(tasks, timeout=ENDS_WITHIN_S)
        for child in list(self._children.values()):
            with suppress(ProcessLookupError):
                child.kill()
        await asyncio.gather(*tasks, return_exceptions=True)
