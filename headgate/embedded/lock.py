"""One supervisor per state folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType


class Lock:
    """Held from `up` to its end; the kernel frees it however the process ends."""

    def __init__(self, state_dir: Path, name: str = "lock") -> None:
        state_dir.mkdir(parents=True, exist_ok=True)
        self._file = os.open(state_dir / name, os.O_RDWR | os.O_CREAT, 0o600)

    def taken(self) -> bool:
        """Take it, unless another process has it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def wait(self) -> None:
        """Take it once the other process has let it go."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._file)
