"""The screens Records and Tables over a log that is only played."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field

import httpx
import pytest

from headgate.dashboard import table_check
from headgate.dashboard.app import create_dashboard
from headgate.dashboard.everything import place_of
from headgate.streams.connection import Position, Record
from headgate.streams.ids import partition_of
from headgate.streams.log_reader import Extent, Keep, LogReader, Part, Reading, Seen
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres
from tests.system.harness_dashboard import OneViewer

SETTINGS = Settings(partitions=3)
T0_MS = 1_790_000_000_000


@dataclass
class PlayedLog(LogReader):
    """Answers as the reader does, from memory."""

    records: dict[Part, list[Seen]] = field(default_factory=dict)

    def write(self, topic: str, key: str, value: bytes | None, at_ms: int) -> None:
        """Append a record."""
        part = (topic, partition_of(key, 3))
        mine = self.records.setdefault(part, [])
        record = Record(*part, key.encode(), value)
        mine.append(Seen(Position(*part, len(mine)), at_ms, record))

    async def extents(self, topics: Iterable[str]) -> dict[Part, Extent]:
        """What is in memory."""
        parts = [(topic, number) for topic in topics for number in range(3)]
        return {part: Extent(0, len(self.records.get(part, []))) for part in parts}

    async def first_since(self, topic: str, at_ms: int) -> dict[Part, int | None]:
        """The first one of the time."""
        found = {}
        for number in range(3):
            mine = self.records.get((topic, number), [])
            late = [one.position.offset for one in mine if one.at_ms >= at_ms]
            found[topic, number] = min(late, default=None)
        return found

    async def read(self, spans: Mapping[Part, Extent], keep: Keep = lambda _: True) -> Reading:
        """The records of the spans."""
        seen = [
            one
            for part, span in spans.items()
            for one in self.records.get(part, [])[span.start : span.end]
        ]
        return Reading([one for one in seen if keep(one)])

    async def one(self, topic: str, partition: int, offset: int) -> Seen | None:
        """The record there."""
        mine = self.records.get((topic, partition), [])
        return mine[offset] if offset < len(mine) else None


@dataclass
class Looking:
    """A browser, and the log behind it."""

    client: httpx.AsyncClient
    log: PlayedLog
    doorman: OneViewer

    async def get(self, path: str) -> httpx.Response:
        """A page below `/dashboard`."""
        return await self.client.get(f"/dashboard{path}")


@pytest.fixture
async def looks() -> AsyncIterator[Looking]:
    """The dashboard over a played log; PostgreSQL is not there."""
    async with httpx.AsyncClient() as nobody:
        place, log = place_of(SETTINGS, Postgres(SETTINGS), nobody), PlayedLog()
        place.machine.reader, doorman = log, OneViewer()
        transport = httpx.ASGITransport(create_dashboard(place, doorman))
        async with httpx.AsyncClient(transport=transport, base_url="http://h.test") as client:
            yield Looking(client, log, doorman)


def times(page: str) -> list[str]:
    return re.findall(r'record-row.*?datetime="([^"]+)"', page)


async def test_pages_lead_through_a_whole_topic_the_newest_first(looks: Looking) -> None:
    assert "Nothing here." in (await looks.get("/records")).text
    for n in range(120):
        looks.log.write("payments.commands", f"pay_{n % 7}", b"{}", T0_MS + 1000 * n)
    seen: list[str] = []
    path = "/records"
    while path:
        page = (await looks.get(path)).text
        seen += times(page)
        link = re.search(r'href="/dashboard(/records\?[^"]*below[^"]*)">Older', page)
        path = link.group(1).replace("&amp;", "&") if link else ""
    assert len(seen) == 120
    assert seen == sorted(seen, reverse=True)


async def test_records_are_found_by_key_time_and_offset(looks: Looking) -> None:
    for n in range(12):
        looks.log.write("payments.commands", f"pay_{n % 2}", b"{}", T0_MS + 1000 * n)
    page = (await looks.get("/records?key=pay_1")).text
    assert len(times(page)) == 6
    assert ">pay_0<" not in page
    until = times((await looks.get("/records")).text)[8].replace("+", "%2B")
    assert len(times((await looks.get(f"/records?until={until}")).text)) == 4
    where = partition_of("pay_0", 3)
    assert len(times((await looks.get(f"/records?partition={where}&offset=2")).text)) == 3
    assert "needs its partition" in (await looks.get("/records?offset=4")).text


async def test_one_record_is_shown_without_a_card_number(looks: Looking) -> None:
    looks.log.write("payments.commands", "pay_1", b'{"pan": "4111111111111111 <b>"}', T0_MS)
    page = (await looks.get(f"/records/payments.commands/{partition_of('pay_1', 3)}/0")).text
    assert "************1111 &lt;b&gt;" in page
    assert "411111" not in page
    assert (await looks.get("/records/payments.commands/0/99")).status_code == 404


async def test_a_merchant_is_told_that_there_is_nothing(looks: Looking) -> None:
    looks.doorman.viewer = looks.doorman.viewer and type(looks.doorman.viewer)(
        "usr_1", "Uma", "mer_a", "test", "csrf"
    )
    for path in ("/records", "/records/payments.commands/0/0", "/tables"):
        assert (await looks.get(path)).status_code == 404


async def test_the_table_is_what_its_changelog_said_last() -> None:
    log, name = PlayedLog(), "headgate-settle-open_payments-changelog"
    for key, value in (("a", b'{"version": 1}'), ("b", b"{}"), ("a", b'{"version": 2}')):
        log.write(name, key, value, T0_MS)
    log.write(name, "b", None, T0_MS)
    assert await table_check.last_said(log, SETTINGS) == ({"a": b'{"version": 2}'}, True)
    assert await table_check.last_said(log, SETTINGS, "b") == ({}, True)


def test_what_differs_is_counted_by_content() -> None:
    table = {"a": b'{"version": 2, "x": 1}', "b": b'{"version": 1}', "c": b"no json"}
    rows = {"a": '{"x": 1, "version": 2}', "b": '{"version": 3}', "c": '{"version": 4}'}
    assert table_check.drifts(table, rows) == [
        table_check.Drift("b", 1, 3),
        table_check.Drift("c", None, 4),
    ]
    assert table_check.drifts({"a": b"{}"}, {}) == [table_check.Drift("a", None, None)]
