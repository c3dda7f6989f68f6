"""What `up` tells the person who watches: each event, and each second what it waits for."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

QUIET_S = 1.0
"""A step that is done sooner is not announced."""
REPEAT_S = 5.0
"""How often a log file, which cannot be overwritten like a terminal, hears the same again."""


class Wait:
    """Something that is being waited for."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.doing = "starting"
        self.began = time.monotonic()

    def tell(self, doing: str) -> None:
        """Say what is being done now."""
        self.doing = doing

    @property
    def took_s(self) -> float:
        """How long it has been waited for."""
        return time.monotonic() - self.began

    def __str__(self) -> str:
        return f"{self.title}: {self.doing} … {self.took_s:.0f} s"


class Voice:
    """Prints. On a terminal the last line shows what is waited for and is overwritten."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._waits: list[Wait] = []
        self._overwrite = out.isatty()

    def say(self, line: str) -> None:
        """Print a line that stays."""
        clear = "\r\x1b[K" if self._overwrite else ""
        self._print(f"{clear}{line}\n")

    def _print(self, text: str) -> None:
        with suppress(OSError, ValueError):  # Nobody listens any more; the supervision goes on.
            self._out.write(text)
            self._out.flush()

    @contextmanager
    def waiting(self, title: str) -> Iterator[Wait]:
        """Show that something is waited for until the block ends; then say how long it took."""
        wait = Wait(title)
        self._waits.append(wait)
        try:
            yield wait
            self.say(f"{title}: ready ({wait.took_s:.1f} s)")
        finally:
            self._waits.remove(wait)

    async def tick(self) -> None:
        """Show the waits, for as long as this runs."""
        while True:
            await asyncio.sleep(QUIET_S)
            waits = [wait for wait in self._waits if wait.took_s >= QUIET_S]
            if self._overwrite and waits:
                line = "  ".join(map(str, waits))
                self._print(f"\r\x1b[K{line[: _columns()]}")
            elif not self._overwrite:
                for wait in waits:
                    if wait.took_s % REPEAT_S < QUIET_S or wait.took_s < 2 * QUIET_S:
                        self.say(str(wait))


def _columns() -> int:
    """How many characters fit into the line that is overwritten."""
    return shutil.get_terminal_size().columns - 1
