"""Keeps one process running: starts it, starts it again when it dies, stops it at the end."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime

from headgate.embedded import process
from headgate.embedded.errors import CannotStart
from headgate.embedded.program import REFUSED, Program

AGAIN = 75
"""Exit code of a worker that lost its claim: start it again at once."""
SUPERSEDED = 76
"""Exit code of a worker whose instance id a newer one has taken: leave it."""
BACKOFF_MIN_S = 0.1
BACKOFF_MAX_S = 10.0
HEALTHY_S = 10.0
"""After so long a life the next death counts as the first."""
FIRST_TRIES_MAX = 5
"""Deaths before it has ever worked, after which `up` gives up and shows its log."""
PROBE_INTERVAL_S = 0.05


class Keeper:
    """One program, its process of the moment, and how often it had to be started again.

    `state` is waiting (for its next start), starting, running (it has answered), stopping,
    stopped, or left (exit code 76).
    """

    def __init__(
        self, program: Program, say: Callable[[str], None], changed: Callable[[], None]
    ) -> None:
        self.program = program
        self.state = "waiting"
        self.doing = "starting"
        self.since: datetime | None = None
        self.pid: int | None = None
        self.born = ""
        self.restarts = 0
        self._say = say
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._failure = ""
        self._worked = False
        self._failures = 0

    def start(self) -> None:
        """Begin to keep it running."""
        self._task = asyncio.create_task(self._keep(), name=f"keep {self.program.role}")

    async def ready(self, tell: Callable[[str], None]) -> None:
        """Wait until it does its work. Raises CannotStart when it keeps dying instead."""
        while not self._worked and self.state != "left":
            if self._failures >= FIRST_TRIES_MAX:
                lines = [f"{self.program.title}: {self._failure}", *self._end_of_log()]
                raise CannotStart("\n".join(lines))
            tell(self.doing)
            await asyncio.sleep(PROBE_INTERVAL_S)

    async def stop(self) -> None:
        """Ask it to stop, kill it when it does not, and keep it stopped."""
        if self._watch is not None:
            self._watch.cancel()
        if self._task is not None:
            self._set("stopping")
            if self._process is not None and self._process.returncode is None:
                await self._stopped(self._process)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.pid = None
        self._set("stopped")

    async def _stopped(self, running: asyncio.subprocess.Process) -> None:
        process.send(running.pid, self.program.stop_signal)
        try:
            await asyncio.wait_for(running.wait(), self.program.stop_wait_s)
        except TimeoutError:
            self._say(f"{self.program.title}: did not stop by itself, killed")
            process.send(running.pid, signal.SIGKILL)
            await running.wait()

    def _set(self, state: str) -> None:
        self.state = state
        self._changed()

    def _end_of_log(self) -> list[str]:
        lines = process.last_lines(self.program.log)
        return [f"the end of {self.program.log}:", *(f"    {line}" for line in lines)]

    async def _keep(self) -> None:
        delay_s = 0.0
        while self.state != "stopping":
            await self._pause(delay_s)
            began = time.monotonic()
            code = await self._lived()
            lived_s = time.monotonic() - began
            if self.state == "stopping":
                return
            if code == SUPERSEDED:
                self._say(f"{self.program.title}: a newer process has its instance id; left alone")
                self._set("left")
                return
            delay_s = _next_delay_s(delay_s, lived_s, code)
            self._died(delay_s)

    async def _pause(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        while self._held():  # noqa: ASYNC110  a file has no event
            await asyncio.sleep(PROBE_INTERVAL_S)

    def _held(self) -> bool:
        return self.program.hold is not None and self.program.hold.exists()

    async def _lived(self) -> int | None:
        """One life of the process, from its start to its exit code; None when it had no life."""
        try:
            command = await self.program.prepare(self._doing)
            self._process = await process.start(
                command,
                self.program.log,
                environment=self.program.environment,
                user=self.program.user,
                death_signal=self.program.death_signal,
            )
        except (CannotStart, OSError) as error:
            self._failure = str(error)
            return None
        self.pid, self.since = self._process.pid, datetime.now(UTC)
        self.born = process.born(self.pid)
        self._set("starting")
        self._watch = asyncio.create_task(self._see_it_work())
        code = await self._process.wait()
        self._failure = _cause(code)
        return code

    def _doing(self, what: str) -> None:
        self.doing = what

    def _died(self, delay_s: float) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self.pid = None
        if not self._worked:
            self._failures += 1
        self.restarts += 1
        when = f"in {delay_s:.1f} s" if delay_s else "at once"
        self._say(f"{self.program.title}: {self._failure}; starts again {when} ({self.restarts})")
        self._set("waiting")

    async def _see_it_work(self) -> None:
        began, probe = time.monotonic(), self.program.probe
        while probe is not None and (trouble := await probe()):
            if trouble != REFUSED:  # Until its port is open it is just starting.
                self.doing = trouble
            await asyncio.sleep(PROBE_INTERVAL_S)
        if self._worked and probe is not None:
            self._say(f"{self.program.title}: works again after {time.monotonic() - began:.1f} s")
        self._worked = True
        self._set("running")


def _next_delay_s(delay_s: float, lived_s: float, code: int | None) -> float:
    """How long to wait before the next start. Exit code 75 waits for nothing, once it has lived."""
    if code == AGAIN and lived_s >= 1:
        return 0.0
    if lived_s >= HEALTHY_S:
        return BACKOFF_MIN_S
    return min(max(2 * delay_s, BACKOFF_MIN_S), BACKOFF_MAX_S)


def _cause(code: int) -> str:
    """Why it ended, for people."""
    if code < 0:
        return f"was ended by {signal.strsignal(-code) or -code} (signal {-code})"
    return f"ended with code {code}"
