"""PostgreSQL as a request reads it: within the time that a reader may wait."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres, Row


class ReadingPostgres(Postgres):
    """Bounds every named statement as a whole: waiting for a connection, making one, and the
    answer. A server that hangs would otherwise keep readers until no request is let in."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._wait_ms = settings.read_wait_ms
        self._begun: set[asyncio.Task[Sequence[Row]]] = set()

    async def _rows(self, name: str, text: str, arguments: Sequence[object]) -> Sequence[Row]:
        """The rows of a statement. Raises StoreUnavailable after `read_wait_ms`."""
        # A task of its own, since the driver takes seconds to give a hung connection back.
        task = asyncio.create_task(super()._rows(name, text, arguments), name=f"read-{name}")
        self._begun.add(task)
        task.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(self._wait_ms / 1000):
                return await asyncio.shield(task)
        except TimeoutError:
            reason = f"PostgreSQL did not answer within {self._wait_ms} ms"
            raise StoreUnavailable(reason) from None
        finally:
            task.cancel()

    def _ended(self, task: asyncio.Task[Sequence[Row]]) -> None:
        self._begun.discard(task)
        if not task.cancelled():
            task.exception()  # Whoever waited no longer does; nobody need be told.
