"""Answers that are sent for long: each part within a time. Who does not read is cut off."""

from __future__ import annotations

import asyncio

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

log = structlog.get_logger(__name__)

SEND_WAIT_S = 30.0
"""How long somebody may leave unread what was sent; then the connection is cut."""
ABORT = "headgate.abort"
"""Where the edge's protocol leaves in the scope how the connection is cut: by a call."""
CUT_WAIT_S = 1.0
"""How long we wait until the server has noticed that a connection is cut."""


class _NotRead(Exception):
    """What was sent is left unread for too long."""


class Streamed(StreamingResponse):
    """A stream that holds its place no longer than somebody reads."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._cut = scope.get(ABORT, _nothing)
        await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """As starlette does it, but for the time that each part has."""

        async def bounded(message: Message) -> None:
            try:
                async with asyncio.timeout(SEND_WAIT_S):
                    await send(message)
            except TimeoutError:
                raise _NotRead from None

        try:
            await super().stream_response(bounded)
        except _NotRead:
            log.info("somebody does not read what is sent")
            await self._close()
            self._cut()
            await asyncio.sleep(CUT_WAIT_S)
        finally:
            await self._close()

    async def _close(self) -> None:
        """Let go what the stream holds: its place among the viewers, or a query."""
        close = getattr(self.body_iterator, "aclose", None)
        if close is not None:
            await close()


def _nothing() -> None:
    """Where no protocol of ours is, nothing can be cut."""
