"""A capture file as a source of records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from itertools import islice
from pathlib import Path

from headgate.replay.capture_file import records_of
from headgate.replay.recorded import Recorded
from headgate.replay.selection import Selection

TURN_RECORDS = 256
"""Records that are read before others of the process have their turn."""


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
        for number, record in enumerate(islice(self._read(), skipped, None)):
            if number % TURN_RECORDS == 0:
                await asyncio.sleep(0)
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
            self._wanted = await asyncio.to_thread(lambda: sum(1 for _ in self._read()))
        return self._wanted

    def _read(self) -> Iterator[Recorded]:
        return filter(self._selection.wants, records_of(self._path, partial=self._partial))
