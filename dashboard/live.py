"""Streams of live regions as answers."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from headgate.dashboard.fragments import Render
from headgate.dashboard.place import Place
from headgate.dashboard.streamed import Streamed

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def live(
    place: Place,
    key: Hashable,
    render: Render,
    request: Request | None = None,
    bodies: Iterable[str] = (),
) -> Response:
    """Follow a region. `key` holds everything that its rendering depends on: the screen, the
    merchant, the mode, the filters; viewers with the same key share it, so it must never leave out
    whose rows they are. With `request`, a browser that comes back goes on where it was; `bodies`
    are the ids of table bodies that may be empty."""
    if place.hub.closed or place.hub.is_full:
        return crowded("Too many look at live pages here.")
    last_id = request.headers.get("last-event-id", "") if request else ""
    return Streamed(
        place.hub.follow(key, render, last_id, bodies),
        media_type="text/event-stream",
        headers=_HEADERS,
    )


def crowded(why: str) -> Response:
    """There is no place for one more; browsers try again by themselves."""
    return PlainTextResponse(why, 503, {"Retry-After": "5"})
