"""A stream of events: what it sends when, and that nobody who follows can hold the edge up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from headgate.http import event_stream
from headgate.http.consistency import Consistency
from headgate.http.event_stream import EventStream, Start
from headgate.http.event_tip import Tip
from headgate.http.exchange import ABORT
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.event_cursors import GENESIS, Cursor, Place, encode
from headgate.tables.event_feed import Asked, Feed, Page, Told
from headgate.tables.postgres import Postgres

SETTINGS = Settings(events_poll_ms=1, partitions=1)


class Settled(Consistency):
    """Where settle is, as the test says; None: PostgreSQL is away."""

    def __init__(self, at: int | None) -> None:
        self.at = at

    async def settled(self) -> dict[int, int]:
        """The next offset of the one partition."""
        if self.at is None:
            raise StoreUnavailable("away")
        return {0: self.at}


class Counting(Feed):
    """One event for every offset; `failing` reads fail first."""

    def __init__(self) -> None:
        super().__init__(SETTINGS, Postgres(SETTINGS))
        self.failing = 0
        self.size = 1

    async def page(
        self, asked: Asked, cursor: Cursor, settled: Mapping[int, int], limit: int
    ) -> Page:
        """The events behind the cursor."""
        del asked
        if self.failing:
            self.failing -= 1
            raise StoreUnavailable("away")
        first = cursor.get(0, Place(0)).offset
        offsets = range(first, min(settled[0], first + limit))
        events = [
            Told(f"evt_{n}", "pay_1", "t", b"%d" % n * self.size, {0: Place(n + 1)})
            for n in offsets
        ]
        end = offsets.stop
        return Page(events, {0: Place(end)}, more=end < settled[0])


class Viewer:
    """The other end: takes what is sent, until it takes no more."""

    def __init__(self, stream: EventStream) -> None:
        self.stream = stream
        self.sent: list[dict[str, Any]] = []
        self.leaves = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()
        self.aborted = False
        self.told = asyncio.Event()
        self.task = asyncio.create_task(self._run())

    @property
    def text(self) -> str:
        """The whole stream so far."""
        return b"".join(message.get("body", b"") for message in self.sent).decode()

    @property
    def over(self) -> bool:
        """Whether the answer was ended in order."""
        return bool(self.sent) and self.sent[-1].get("more_body") is False

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to be sent that makes it true."""
        while not condition():
            self.told.clear()
            await self.told.wait()

    async def _run(self) -> None:
        scope = {"type": "http", "method": "GET", ABORT: self._abort}
        await self.stream(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.reads.wait()
        self.sent.append(message)
        self.told.set()

    def _abort(self) -> None:
        self.aborted = True
        self.reads.set()
        self.leaves.set()


def stream_of(
    settled: Settled, start: Start, may_go_on: Callable[[], bool] = lambda: True
) -> tuple[EventStream, Counting, Tip]:
    """A stream over the counting feed."""
    feed, tip = Counting(), Tip(SETTINGS, settled)
    return EventStream(feed, tip, Asked("mer_1", "test"), start, may_go_on), feed, tip


async def test_a_stream_begins_with_its_cursor_and_tells_what_is_settled() -> None:
    settled = Settled(0)
    stream, _, tip = stream_of(settled, Start(GENESIS))
    viewer = Viewer(stream)
    await viewer.until(lambda: "\n\n" in viewer.text)
    assert viewer.text == f"retry: 1000\nid: {encode(GENESIS)}\n\n"
    settled.at = 120
    await viewer.until(lambda: "data: 119\n" in viewer.text)
    blocks = viewer.text.split("\n\n")[1:-1]
    assert blocks == [f"id: {encode({0: Place(n + 1)})}\nevent: t\ndata: {n}" for n in range(120)]
    viewer.leaves.set()
    await viewer.task
    assert tip.followers == 0
    assert tip._task is None, "nobody follows: PostgreSQL is left alone"


async def test_a_reset_is_told_before_anything_else() -> None:
    stream, _, _ = stream_of(Settled(1), Start(GENESIS, "no such cursor"))
    viewer = Viewer(stream)
    await viewer.until(lambda: "data: 0\n" in viewer.text)
    assert viewer.text.split("\n\n")[1] == (
        f'id: {encode(GENESIS)}\nevent: reset\ndata: {{"cursor":"{encode(GENESIS)}",'
        '"reason":"no such cursor"}'
    )
    viewer.leaves.set()
    await viewer.task


async def test_a_database_that_goes_away_is_told_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_stream, "RETRY_MS", 1)
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_S", 0.001)
    settled = Settled(3)
    stream, feed, _ = stream_of(settled, Start(GENESIS))
    feed.failing = 2
    viewer = Viewer(stream)
    await viewer.until(lambda: "data: 2\n" in viewer.text)
    assert viewer.text.count(": the database is away; going on when it is back") == 2
    settled.at = None
    await viewer.until(lambda: ": the database is away\n" in viewer.text)
    settled.at = 4
    await viewer.until(lambda: "data: 3\n" in viewer.text)
    await viewer.until(lambda: f": still here\nid: {encode({0: Place(4)})}\n" in viewer.text)
    assert [viewer.text.count(f"data: {n}\n") for n in range(4)] == [1, 1, 1, 1]
    viewer.leaves.set()
    await viewer.task


async def test_a_viewer_that_does_not_read_is_cut_off_and_holds_one_page_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_stream, "SEND_WAIT_S", 0.02)
    settled = Settled(0)
    stream, feed, tip = stream_of(settled, Start(GENESIS))
    viewer = Viewer(stream)
    await viewer.until(lambda: "\n\n" in viewer.text)
    feed.size = 1000
    viewer.reads.clear()
    settled.at = 100_000
    await viewer.task
    assert viewer.aborted
    assert len(viewer.text) < 2 * event_stream.PAGE_EVENTS * 6 * feed.size
    assert tip.followers == 0


async def test_a_stream_ends_with_its_key_with_the_edge_and_with_a_database_set_back() -> None:
    stands = True
    stream, _, _ = stream_of(Settled(1), Start(GENESIS), lambda: stands)
    viewer = Viewer(stream)
    await viewer.until(lambda: "data: 0\n" in viewer.text)
    stands = False
    stream._tip.wake()
    await viewer.task
    assert viewer.over

    stream, _, tip = stream_of(Settled(1), Start(GENESIS))
    viewer = Viewer(stream)
    await viewer.until(lambda: "data: 0\n" in viewer.text)
    tip.close()
    await viewer.task
    assert viewer.over

    settled = Settled(5)
    stream, _, _ = stream_of(settled, Start(GENESIS))
    viewer = Viewer(stream)
    await viewer.until(lambda: "data: 4\n" in viewer.text)
    settled.at = 2
    await viewer.task
    assert viewer.over
    assert "data: 5\n" not in viewer.text


async def test_who_only_asks_for_the_head_follows_nothing() -> None:
    stream, _, tip = stream_of(Settled(1), Start(GENESIS))
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    await stream({"type": "http", "method": "HEAD"}, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert tip.followers == 0
