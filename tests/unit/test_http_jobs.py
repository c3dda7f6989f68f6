"""The job status while PostgreSQL hangs: nobody waits long, and few ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from headgate.http.cache import Cache
from headgate.http.claims import Claims
from headgate.http.decisions import Decisions
from headgate.http.detour import Detour
from headgate.http.exchange import Exchange
from headgate.http.health import JobsStatus
from headgate.http.reading import ReadingPostgres
from headgate.http.replies import Inbox
from headgate.streams.bus import Bus
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ConfigurationCopy
from headgate.tables.postgres import Postgres, Row


class Hung(Postgres):
    """A PostgreSQL that never answers."""

    asked = 0

    async def fetch(self, name: str, *arguments: object) -> Sequence[Row]:
        """Wait for ever."""
        self.asked += 1
        await asyncio.Event().wait()
        raise AssertionError(name)


async def test_a_crowd_is_refused_soon_and_together_while_postgresql_hangs(
    tmp_path: Path,
) -> None:
    settings = Settings(state_dir=tmp_path, read_wait_ms=100)
    postgres = Hung(settings)
    cache = Cache(settings)
    claims = Claims(settings, cache, Detour(settings, cache), ConfigurationCopy(settings, postgres))
    bus = Bus(settings.kafka, timeout_ms=100)
    decisions = Decisions(settings, postgres, bus, cache, Inbox(settings))
    jobs = JobsStatus(settings, postgres, decisions, claims)
    shown = (jobs.show(Exchange({"headers": []})) for _ in range(50))
    answers = await asyncio.gather(*shown, return_exceptions=True)
    assert all(isinstance(answer, StoreUnavailable) for answer in answers), answers
    with pytest.raises(StoreUnavailable):
        await jobs.show(Exchange({"headers": []}))
    assert postgres.asked <= 2


async def test_a_reader_waits_no_longer_than_it_may_for_a_server_that_hangs(
    tmp_path: Path,
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = Settings(
        state_dir=tmp_path, read_wait_ms=100, postgres=f"postgresql://u:p@127.0.0.1:{port}/d"
    )
    postgres = ReadingPostgres(settings)
    with pytest.raises(StoreUnavailable, match="100 ms"):
        await postgres.fetch("configuration")
    await postgres.close()
    server.close()
    await server.wait_closed()
