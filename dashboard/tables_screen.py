"""The screen Tables: one key in the table and in PostgreSQL side by side, and how many differ."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard import table_check
from headgate.dashboard.place import Place
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import Viewer
from headgate.streams.topics import OPEN_PAYMENTS_TABLE, changelog_topic


async def listed(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page; with `key` a look at one, with `check` a comparison."""
    reader, settings, postgres = place.machine.reader, place.settings, place.postgres
    key = request.query_params.get("key", "").replace("\0", "").strip()
    held, stored = table_check.side(None), table_check.side(None)
    if key:
        said, _ = await table_check.last_said(reader, settings, key)
        held = table_check.side(said.get(key))
        stored = table_check.side((await table_check.stored(postgres, [key])).get(key))
    checked = None
    if "check" in request.query_params:
        checked = await table_check.check(reader, settings, postgres)
    return place.pages.page(
        "tables.html", viewer, place=place, here="tables", key=key, held=held, stored=stored,
        checked=checked, table=OPEN_PAYMENTS_TABLE, changelog=changelog_topic(settings).name,
    )  # fmt: skip


TABLES = Screen("tables", "Tables", (Path("/tables", get=listed, operators_only=True),))
