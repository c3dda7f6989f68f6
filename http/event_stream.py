"""`GET /events/stream`: events as they are settled, by SSE, each with the cursor to go on from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import orjson
import structlog
from starlette.types import Receive, Scope, Send

from headgate.http.event_tip import Tip
from headgate.http.exchange import ABORT
from headgate.http.gate import let_go
from headgate.streams.errors import StoreUnavailable
from headgate.tables.event_cursors import Cursor, Place, encode
from headgate.tables.event_feed import Asked, Feed, Told

log = structlog.get_logger(__name__)

KEEP_ALIVE_S = 15.0
"""How often something is sent to who has nothing to be told."""
SEND_WAIT_S = 30.0
"""How long a viewer may leave unread what was sent; then its connection is cut."""
PAGE_EVENTS = 50
"""Events that are read and sent at once, and so about all that a viewer takes of our memory."""
RETRY_MS = 1000
"""After this long a viewer connects again, and we ask a database again that was away."""
_NOWHERE = Place(0)


class Start(NamedTuple):
    """Where a viewer begins, and why not where it wanted to."""

    cursor: Cursor
    reset: str | None = None


class EventStream:
    """One viewer's answer, as an ASGI application."""

    def __init__(
        self, feed: Feed, tip: Tip, asked: Asked, start: Start, may_go_on: Callable[[], bool]
    ) -> None:
        """`may_go_on` is whether the API key still stands."""
        self._feed = feed
        self._tip = tip
        self._asked = asked
        self._cursor, self._reset = start
        self._may_go_on = may_go_on
        self._gone = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        let_go(scope)
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (b"content-type", b"text/event-stream; charset=utf-8"),
                    (b"x-accel-buffering", b"no"),
                ],
            }
        )
        if scope["method"] != "HEAD":
            await self._show(scope, receive, send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _show(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(self._leave(receive), name="viewer-leaves")
        self._tip.enter()
        try:
            await self._follow(send)
        except TimeoutError:
            log.info("viewer does not read", merchant_id=self._asked.merchant_id)
            scope.get(ABORT, _nothing)()
            await asyncio.wait({leaving}, timeout=RETRY_MS / 1000)
        finally:
            leaving.cancel()
            self._tip.leave()

    async def _leave(self, receive: Receive) -> None:
        """Notice that the viewer has left, also when there is nothing to send."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._tip.wake()

    async def _follow(self, send: Send) -> None:
        cursor = encode(self._cursor).encode()
        await _write(send, b"retry: %d\nid: %s\n\n" % (RETRY_MS, cursor))
        if self._reset is not None:
            told = orjson.dumps({"cursor": cursor.decode(), "reason": self._reset})
            await _write(send, b"id: %s\nevent: reset\ndata: %s\n\n" % (cursor, told))
        while await self._news(send):
            try:
                await self._tell(send)
            except StoreUnavailable:
                await _write(send, b": the database is away; going on when it is back\n\n")
                await asyncio.sleep(RETRY_MS / 1000)

    async def _news(self, send: Send) -> bool:
        """Wait until there may be events; False when there is nothing left to wait for."""
        while not await self._tip.until(lambda: self._over or self._behind, KEEP_ALIVE_S):
            word = b"the database is away" if self._tip.away else b"still here"
            # The cursor has moved on also where nothing fitted the filter.
            await _write(send, b": %s\nid: %s\n\n" % (word, encode(self._cursor).encode()))
        return not self._over

    @property
    def _over(self) -> bool:
        """Whether the stream has to end. A database that was set back to an older state must not
        go on as if nothing had happened: the viewer comes back and is told."""
        settled = self._tip.settled
        set_back = any(place.offset > settled.get(p, 0) for p, place in self._cursor.items())
        return self._gone or self._tip.closed or set_back or not self._may_go_on()

    @property
    def _behind(self) -> bool:
        """Whether settle is beyond the cursor."""
        return any(
            self._cursor.get(partition, _NOWHERE).offset < below
            for partition, below in self._tip.settled.items()
        )

    async def _tell(self, send: Send) -> None:
        settled = self._tip.settled
        more = True
        while more and not self._over:
            async with self._tip.turn:
                page = await self._feed.page(self._asked, self._cursor, settled, PAGE_EVENTS)
            if page.events:
                await _write(send, b"".join(map(_event, page.events)))
            self._cursor, more = page.cursor, page.more


async def _write(send: Send, text: bytes) -> None:
    """Send, and wait until the viewer has room for more. Raises TimeoutError."""
    async with asyncio.timeout(SEND_WAIT_S):
        await send({"type": "http.response.body", "body": text, "more_body": True})


def _event(event: Told) -> bytes:
    lines = event.payload.replace(b"\n", b"\ndata: ")
    names = (encode(event.cursor).encode(), event.type.encode(), lines)
    return b"id: %s\nevent: %s\ndata: %s\n\n" % names


def _nothing() -> None:
    """Where no protocol of ours is, nothing can be cut."""
