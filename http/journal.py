"""A file of keys that went around Redis, so that an edge that dies meanwhile takes none along."""

from __future__ import annotations

import contextlib
import os
from io import FileIO
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)


class Journal:
    """One key id a line, in a file per process that exists only while keys are in it.

    Each line is written at once but not synced: it survives our death, not the machine's. When
    the folder cannot be written, keys are remembered in memory alone.
    """

    def __init__(self, folder: Path, schema: str) -> None:
        self._folder = folder
        self._prefix = f"around-redis-{schema}-"
        self._path = folder / f"{self._prefix}{os.getpid()}"
        self._file: FileIO | None = None

    def add(self, key_id: str) -> None:
        """Write a line."""
        try:
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = FileIO(self._path, "a")
            self._file.write(f"{key_id}\n".encode())
        except OSError as error:
            log.warning("journal not written", file=str(self._path), error=str(error))

    def close(self) -> None:
        """Let go of the file; the lines stay for whoever comes after us."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def clear(self) -> None:
        """Forget every line: Redis knows them now."""
        self.close()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def left_behind(self) -> list[str]:
        """The lines of processes that died, taken over into our own file."""
        lines: list[str] = []
        for path in list(self._folder.glob(f"{self._prefix}*")):
            pid = path.name.removeprefix(self._prefix)
            if path == self._path:  # Process ids come again, in containers at every start.
                lines += _lines(path)
            elif pid.isdigit() and not _alive(int(pid)):
                taken = _lines(path)
                for key_id in taken:
                    self.add(key_id)
                path.unlink(missing_ok=True)
                lines += taken
        return lines


def _lines(path: Path) -> list[str]:
    """Whole lines only: who died in the middle of one never published that key's command."""
    try:
        return path.read_text().rpartition("\n")[0].splitlines()
    except OSError as error:
        log.warning("journal not read", file=str(path), error=str(error))
        return []


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
