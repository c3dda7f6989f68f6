"""Starting a child of ours, and telling it from a stranger that was given its number later."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from headgate.embedded.errors import CannotStart

CHILD = Path(__file__).with_name("child.py")
LOG_BYTES_MAX = 20_000_000
"""A log longer than this is set aside as `.1` when its process starts."""

POLL_S = 0.02


def clean_environment() -> dict[str, str]:
    """What a server needs of our environment: nothing that could change how it behaves."""
    kept = ("PATH", "HOME", "TMPDIR", "TZ")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C"}


def opened_log(path: Path) -> int:
    """A descriptor that appends to the log, which is started afresh when it has grown long."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def last_lines(path: Path, count: int = 8) -> list[str]:
    """The end of a log, to show when its process would not start."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8192))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []


async def start(
    command: Sequence[str | Path],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    user: str = "",
    death_signal: signal.Signals = signal.SIGKILL,
) -> asyncio.subprocess.Process:
    """Start a child in a session of its own; `death_signal` reaches it when we die first.

    Must be called on the main thread: Linux ties a child's life to the thread that forked it.
    """
    parent = (str(os.getpid()), str(int(death_signal)), user)
    descriptor = opened_log(log)
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", CHILD, *parent, *command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            env=clean_environment() if environment is None else environment,
            start_new_session=True,
            cwd="/" if user else None,
        )  # fmt: skip
    finally:
        os.close(descriptor)


async def run(
    command: Sequence[str | Path],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    user: str = "",
    timeout_s: float = 120,
) -> None:
    """Run a helper of a server to its end. Raises CannotStart when it fails or takes too long."""
    child = await start(command, log, environment=environment, user=user)
    name = Path(command[0]).name
    try:
        code = await asyncio.wait_for(child.wait(), timeout_s)
    except TimeoutError as error:
        raise CannotStart(f"{name} did not end within {timeout_s:g} s; see {log}") from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if code:
        raise CannotStart(f"{name} failed with code {code}; see {log}")


def born(pid: int) -> str:
    """When the process of this number started, in terms that only compare; empty if it is gone.

    A number is reused, a number with its start is not.
    """
    try:
        if Path("/proc/self/stat").exists():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return "" if fields[0] in {"Z", "X"} else fields[19]
        found = subprocess.run(
            ["/bin/ps", "-o", "lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        return found.stdout.strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def alive(pid: int, since: str) -> bool:
    """Whether the process that was born then still runs."""
    return bool(since) and born(pid) == since


def gone(pid: int, since: str, at_most_s: float) -> bool:
    """Wait until a process has ended; whether it has."""
    end = time.monotonic() + at_most_s
    while alive(pid, since):
        if time.monotonic() > end:
            return False
        time.sleep(POLL_S)
    return True


def send(pid: int, what: signal.Signals) -> None:
    """Signal a process that may have gone meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(pid, what)
