"""The screen Endpoints: where events go, and how it goes with each, live."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard import endpoint_fields, endpoint_rows
from headgate.dashboard.acting import Acting
from headgate.dashboard.answers import missing, refused
from headgate.dashboard.deliveries import whose
from headgate.dashboard.hub import Fragment, Render
from headgate.dashboard.live import live
from headgate.dashboard.place import Place
from headgate.dashboard.viewer import Viewer
from headgate.streams import ids
from headgate.tables.schedules import SCHEDULES

EVERY_S = 2.0
"""How often shares of success are counted while somebody looks."""
REPLAYS_MAX = 5
"""Replays that an endpoint's page shows."""


async def listed(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page."""
    after = request.query_params.get("after")
    rows = await endpoint_rows.listed(place, viewer, after)
    return place.pages.page(
        "endpoints.html",
        viewer,
        place=place,
        here="endpoints",
        after=after or "",
        parts=_rows(place, viewer, rows),
        older=rows[-1]["id"] if len(rows) == endpoint_rows.ROWS_MAX else "",
    )


async def stream(place: Place, request: Request, viewer: Viewer) -> Response:
    """The rows of the page, followed."""
    after = request.query_params.get("after")

    async def render() -> list[Fragment]:
        return _rows(place, viewer, await endpoint_rows.listed(place, viewer, after))

    key = ("endpoints", *whose(viewer), after)
    return live(place, key, seldom(render), request, ["endpoints"])


def _rows(place: Place, viewer: Viewer, rows: Sequence[dict[str, Any]]) -> list[Fragment]:
    fragment = place.pages.fragment
    shown = [
        Fragment(row["id"], fragment("endpoints_row.html", row=row, viewer=viewer), "endpoints")
        for row in rows
    ]
    nothing = fragment("endpoints_empty.html", hidden=bool(rows), viewer=viewer)
    return [*shown, Fragment("no-endpoints", nothing)]


def seldom(render: Render) -> Render:
    """The same, rendered anew only every `EVERY_S` seconds: what it counts is dear."""
    shown: Sequence[Fragment] = ()
    due = 0.0

    async def rendered() -> Sequence[Fragment]:
        nonlocal shown, due
        if time.monotonic() >= due:
            shown, due = await render(), time.monotonic() + EVERY_S
        return shown

    return rendered


async def show(place: Place, request: Request, viewer: Viewer) -> Response:
    """One endpoint: how it goes with it, and the forms that change it."""
    row = await endpoint_rows.one(place, viewer, request.path_params["id"])
    if row is None:
        return missing(place, viewer, "endpoint")
    acting = Acting(place, viewer, row["merchant_id"], row["mode"], "webhooks:read")
    answered = await acting.ask("GET", f"/webhook_endpoints/{row['id']}")
    if not answered.ok:
        return refused(place, request, viewer, answered)
    return await page_of(place, viewer, row, answered.document)


async def page_of(
    place: Place,
    viewer: Viewer,
    row: dict[str, Any],
    document: dict[str, Any],
    *,
    fields: dict[str, str] | None = None,
    error: str = "",
) -> Response:
    """The page of one endpoint, with the REST surface's answer about it; `error` says what was
    wrong with `fields`."""
    return place.pages.page(
        "endpoint.html",
        viewer,
        status=400 if error else 200,
        place=place,
        here="endpoints",
        row=row,
        endpoint=document,
        fields=endpoint_fields.all_of(fields or endpoint_fields.of_endpoint(document)),
        error=error,
        schedules=SCHEDULES,
        key=ids.draw_key(),
        parts=await _parts(place, viewer, row),
    )


async def stream_one(place: Place, request: Request, viewer: Viewer) -> Response:
    """The parts of one endpoint's page that change by themselves, followed."""
    endpoint_id = request.path_params["id"]

    async def render() -> list[Fragment]:
        row = await endpoint_rows.one(place, viewer, endpoint_id)
        return [] if row is None else await _parts(place, viewer, row)

    return live(place, ("endpoint", *whose(viewer), endpoint_id), seldom(render), request)


async def _parts(place: Place, viewer: Viewer, row: dict[str, Any]) -> list[Fragment]:
    replays = await place.postgres.fetch(
        *("dashboard_replays_of_endpoint", row["merchant_id"], row["mode"], row["id"]),
        REPLAYS_MAX,
    )
    fragment = place.pages.fragment
    facts = fragment("endpoint_facts.html", row=row, viewer=viewer)
    told = fragment("endpoint_replays.html", replays=replays)
    return [Fragment("endpoint-facts", facts), Fragment("endpoint-replays", told)]
