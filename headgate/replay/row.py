"""The run's row in PostgreSQL, kept while it goes on, and the stop that others ask for there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from headgate.replay.journal import FLUSH_EVERY_S, Journal, JournalUnwritable
from headgate.replay.tally import Run
from headgate.replay.told import progress_of
from headgate.streams.errors import HeadgateError
from headgate.tables.postgres import Postgres
from headgate.tables.topic_replays import State, TopicReplays

TELL_EVERY_S = 1.0
STARTED_BY = "HEADGATE_STARTED_BY"
"""Names, in the environment, who started the run; else it is whoever sits at the command line."""
COMMAND_LINE = "command line"


class RunRow:
    """Best effort: a run goes on without its row when PostgreSQL is away or not migrated."""

    def __init__(self, postgres: Postgres, run: Run) -> None:
        self._rows = TopicReplays(postgres)
        self._run = run

    async def begin(self) -> None:
        """Say that a sitting begins."""
        who, run = os.environ.get(STARTED_BY, COMMAND_LINE), self._run
        with suppress(HeadgateError):
            await self._rows.begun(run.run_id, who, run.source, run.options)

    async def tell(self, state: State, verdict: Mapping[str, Any] | None = None) -> bool:
        """Say how far it is; whether somebody wants it to stop."""
        counts = progress_of(self._run.tally)
        with suppress(HeadgateError):
            return await self._rows.told(self._run.run_id, state, counts, verdict)
        return False


@asynccontextmanager
async def kept(row: RunRow, journal: Journal, stop: Callable[[], None]) -> AsyncIterator[None]:
    """While the block runs: the journal on disk and the row up to date; `stop` is called when
    somebody asks for it there, or when the journal cannot be written. Raises JournalUnwritable when
    it cannot in the end."""
    await row.begin()
    tasks = [asyncio.create_task(_flush(journal, stop)), asyncio.create_task(_tell(row, stop))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        journal.flush()


async def _flush(journal: Journal, stop: Callable[[], None]) -> None:
    try:
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            journal.flush()
    except JournalUnwritable:
        stop()  # The last flush says why.


async def _tell(row: RunRow, stop: Callable[[], None]) -> None:
    while True:
        if await row.tell("running"):
            stop()
        await asyncio.sleep(TELL_EVERY_S)
