"""Streams of live regions as answers."""

from __future__ import annotations

from collections.abc import Hashable

from starlette.responses import Response, StreamingResponse

from headgate.dashboard.hub import Render
from headgate.dashboard.place import Place

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def live(place: Place, key: Hashable, render: Render) -> Response:
    """Follow a region. `key` holds everything that its rendering depends on: the screen, the
    merchant, the mode, the filters; viewers with the same key share it, so it must never leave out
    whose rows they are."""
    return StreamingResponse(
        place.hub.follow(key, render), media_type="text/event-stream", headers=_HEADERS
    )
