"""The dashboard's place with an edge that a test answers for, and nothing behind it."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import httpx

from headgate.dashboard.everything import place_of
from headgate.dashboard.place import Place
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import Viewer
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres

OLGA = Viewer("opr_1", "Olga", None, "test", "csrf")


def _away(request: httpx.Request) -> httpx.Response:
    del request
    return httpx.Response(503)


@asynccontextmanager
async def a_place(
    edge: Callable[[httpx.Request], httpx.Response] = _away, paths: Sequence[Path] = ()
) -> AsyncIterator[Place]:
    """A place, with `paths` as its only screen if there are any."""
    settings = Settings(secret_key=base64.b64encode(bytes(32)).decode())
    client = httpx.AsyncClient(transport=httpx.MockTransport(edge), base_url="http://edge")
    place = place_of(settings, Postgres(settings), client)
    if paths:
        place = dataclasses.replace(place, screens=(Screen("one", "One", paths),))
    try:
        yield place
    finally:
        await place.close()
