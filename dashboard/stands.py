"""Whether somebody who follows a stream is still signed in: streams outlive the request."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from typing import Any

from headgate.dashboard.viewer import Viewer
from headgate.streams.errors import StoreUnavailable

LOOK_EVERY_S = 30.0
"""After this long a stream asks again. The hub sends something every 15 s at least."""


class Stands:
    """Ends a stream once its viewer has signed out, was disabled, or looks at the other mode."""

    def __init__(self, find: Callable[[], Awaitable[Viewer | None]], viewer: Viewer) -> None:
        self._find = find
        self._viewer = viewer
        self._looked = time.monotonic()

    async def while_it_does(self, stream: AsyncIterable[Any]) -> AsyncGenerator[Any]:
        """What the stream sends, until the session no longer stands."""
        try:
            async for chunk in stream:
                if not await self.now():
                    return
                yield chunk
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()

    async def now(self) -> bool:
        """Whether it stands, as far as that was asked lately. PostgreSQL away ends nothing."""
        if time.monotonic() - self._looked < LOOK_EVERY_S:
            return True
        self._looked = time.monotonic()
        try:
            return await self._find() == self._viewer
        except StoreUnavailable:
            return True
