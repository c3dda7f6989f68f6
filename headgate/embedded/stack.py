"""The embedded servers for tests and benchmarks, with ways to break them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from headgate.embedded import nobody, process, status
from headgate.embedded.addresses import Addresses, known
from headgate.embedded.environment import NO_LIMITS
from headgate.embedded.errors import CannotStart
from headgate.embedded.lock import Lock

ROLES = ("kafka", "redis", "postgres")
START_WAIT_S = 180.0
"""The very first start fetches Kafka."""
STOP_WAIT_S = 20.0
POLL_S = 0.02
_holders: list[subprocess.Popen[bytes]] = []
"""Children of this process that run servers; Python wants them waited for."""


class Stack:
    """Kafka, Redis and PostgreSQL in a folder, run by a process of their own.

    They end with `stop`, or soon after the process `parent` has ended. Every method blocks; call
    the slow ones (`start`, `restart`) through `asyncio.to_thread` where a loop must go on.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir

    def up(self, parent: int) -> None:
        """Start the servers, unless they run already, and wait until all of them answer."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        arguments = (str(self.state_dir), str(parent))
        command = [sys.executable, "-m", "headgate.embedded.servers", *arguments]
        with (self.state_dir / "servers.log").open("ab") as log:
            holder = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        _holders.append(holder)
        (self.state_dir / "holder").write_text(f"{holder.pid} {process.born(holder.pid)}")
        self._wait(
            lambda: all(self._state(role) == "running" for role in ROLES),
            START_WAIT_S,
            lambda: holder.poll() is not None,
        )

    def is_up(self) -> bool:
        """Whether the servers have been started and not stopped."""
        return process.alive(*self._holder())

    def stop(self) -> None:
        """Stop the servers and delete everything."""
        pid, born = self._holder()
        if process.alive(pid, born):
            for role in ROLES:
                if self._pid(role):
                    self.thaw(role)
            process.send(pid, signal.SIGTERM)
            self._wait(lambda: not process.alive(pid, born), STOP_WAIT_S)
        _holders[:] = [holder for holder in _holders if holder.poll() is None]
        status.end_leftovers(self.state_dir)
        nobody.forget(self.state_dir)
        shutil.rmtree(self.state_dir, ignore_errors=True)

    @property
    def addresses(self) -> Addresses:
        """Ports and URLs."""
        addresses = known(self.state_dir)
        if addresses is None:
            raise CannotStart("the stack has not been started")
        return addresses

    @property
    def kafka(self) -> str:
        """Bootstrap servers."""
        return self.addresses.kafka

    @property
    def redis(self) -> str:
        """URL."""
        return self.addresses.redis

    @property
    def postgres(self) -> str:
        """URL."""
        return self.addresses.postgres

    def environment(self, namespace: str = "") -> dict[str, str]:
        """The environment of a process of ours that uses these servers."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return inherited | {
            "HEADGATE_KAFKA": self.kafka,
            "HEADGATE_REDIS": self.redis,
            "HEADGATE_POSTGRES": self.postgres,
            "HEADGATE_STATE_DIR": str(self.state_dir),
            "HEADGATE_SECRET_KEY": self.addresses.secret_key,
            "HEADGATE_NAMESPACE": namespace,
            "HEADGATE_WEBHOOK_ALLOW_LOOPBACK": "true",
            "TEST_MODE": "true",
            "TEST_PROCESSING_DELAY": "0",
            **NO_LIMITS,
        }

    def pid(self, role: str) -> int:
        """The process id of a server that runs: kafka, redis or postgres."""
        pid = self._pid(role)
        if pid is None:
            raise CannotStart(f"{role} does not run; `start` it first")
        return pid

    def kill(self, role: str) -> None:
        """`kill -9`; it stays dead until `start`."""
        hold = self._hold(role)
        hold.parent.mkdir(exist_ok=True)
        hold.touch()
        pid = self.pid(role)
        process.send(pid, signal.SIGKILL)
        self._wait(lambda: self._pid(role) != pid, STOP_WAIT_S)

    def start(self, role: str) -> None:
        """Start a killed server on its old port and data, and wait until it answers."""
        self._hold(role).unlink(missing_ok=True)
        self._wait(lambda: self._state(role) == "running", START_WAIT_S)

    def restart(self, role: str) -> None:
        """Kill it, start it, and wait until it answers."""
        self.kill(role)
        self.start(role)

    def freeze(self, role: str) -> None:
        """Stop it where it is (SIGSTOP): connections stay open, nothing is answered."""
        for pid in family(self.pid(role)):
            process.send(pid, signal.SIGSTOP)

    def thaw(self, role: str) -> None:
        """Let a frozen server go on."""
        for pid in family(self.pid(role)):
            process.send(pid, signal.SIGCONT)

    def _hold(self, role: str) -> Path:
        return self.state_dir / "hold" / role

    def _holder(self) -> tuple[int, str]:
        try:
            pid, born = (self.state_dir / "holder").read_text().split(maxsplit=1)
        except (FileNotFoundError, ValueError):
            return 0, ""
        return int(pid), born

    def _status(self, role: str) -> status.ProcessStatus | None:
        now = status.read(self.state_dir)
        return next((each for each in now.processes if each.role == role), None) if now else None

    def _state(self, role: str) -> str:
        now = self._status(role)
        return now.state if now else ""

    def _pid(self, role: str) -> int | None:
        now = self._status(role)
        return now.pid if now else None

    def _wait(
        self,
        true: Callable[[], bool],
        at_most_s: float,
        hopeless: Callable[[], bool] = lambda: False,
    ) -> None:
        """Wait for a condition. Raises CannotStart with the servers' words when it stays away."""
        end = time.monotonic() + at_most_s
        while not true():
            if hopeless() or time.monotonic() > end:
                raise CannotStart(
                    "\n".join(process.last_lines(self.state_dir / "servers.log", 30))
                    or f"the servers of {self.state_dir} did not do it within {at_most_s:g} s"
                )
            time.sleep(POLL_S)


def family(pid: int) -> list[int]:
    """A process and its children: PostgreSQL has one per connection."""
    found = [pid]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def shared(state_dir: Path, parent: int) -> Stack:
    """The one stack of a folder, started by whoever asks first while the others wait for it."""
    stack = Stack(state_dir)
    with Lock(state_dir, "starting") as lock:
        lock.wait()
        if not stack.is_up():
            stack.up(parent)
    return stack
