"""A capture file as a source of records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from headgate.replay.capture_file import records_of
from headgate.replay.recorded import Recorded
from headgate.replay.selection import Selection

TURN_RECORDS = 256
"""Records that are read, wanted or not, before others of the process have their turn."""


class FileSource:
    """What is wanted of a capture file, in its order, which is the one by time."""

    def __init__(self, path: Path, selection: Selection, *, partial: bool = False) -> None:
        self._path = path
        self._selection = selection
        self._partial = partial
        self._wanted: int | None = None

    async def records(self) -> AsyncGenerator[Recorded, None]:
        """The records. Raises SourceUnreadable."""
        skipped = 0
        if self._selection.last is not None:
            skipped = max(await self._count_wanted() - self._selection.last, 0)
        async with aclosing(self._read()) as records:
            async for record in records:
                if skipped:
                    skipped -= 1
                else:
                    yield record

    async def count(self) -> int | None:
        """How many records there are; the file is read for it once. Raises SourceUnreadable."""
        wanted = await self._count_wanted()
        return wanted if self._selection.last is None else min(wanted, self._selection.last)

    async def frozen(self) -> list[str]:
        """The words of the command line that open the very same records again."""
        partial = ["--partial"] if self._partial else []
        return [str(self._path.absolute()), *self._selection.words(), *partial]

    async def _count_wanted(self) -> int:
        if self._wanted is None:
            wanted = 0
            async with aclosing(self._read()) as records:
                async for _ in records:
                    wanted += 1
            self._wanted = wanted
        return self._wanted

    async def _read(self) -> AsyncGenerator[Recorded, None]:
        """What is wanted, `last` apart. Others have their turn also while nothing is."""
        for number, record in enumerate(records_of(self._path, partial=self._partial)):
            if number % TURN_RECORDS == 0:
                await asyncio.sleep(0)
            if self._selection.wants(record):
                yield record
