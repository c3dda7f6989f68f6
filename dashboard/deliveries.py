"""The screen Deliveries: which events went where, live, and what came of each attempt."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard.answers import missing
from headgate.dashboard.delivery_actions import cancel, retry
from headgate.dashboard.delivery_filters import STATUSES, Filters
from headgate.dashboard.delivery_rows import attempt_shown, delivery_shown
from headgate.dashboard.hub import Fragment
from headgate.dashboard.live import live
from headgate.dashboard.place import Place
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import Viewer
from headgate.tables.postgres import Row

ROWS_MAX = 50
"""Deliveries on one page."""
LOOKED_THROUGH_MAX = 20_000
"""Deliveries of one merchant that are looked through for what no index knows, such as a type."""
ATTEMPTS_MAX = 20
"""Attempts that one page shows; the API has all."""


async def listed(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page."""
    filters = Filters.of(request.query_params)
    rows = [] if filters.wrong else await found(place, viewer, filters)
    return place.pages.page(
        "deliveries.html",
        viewer,
        status=400 if filters.wrong else 200,
        place=place,
        here="deliveries",
        filters=filters,
        statuses=STATUSES,
        looked_through=LOOKED_THROUGH_MAX,
        parts=_rows(place, viewer, rows),
        older=str(filters.behind(rows[-1]["id"])) if len(rows) == ROWS_MAX else "",
    )


async def stream(place: Place, request: Request, viewer: Viewer) -> Response:
    """The rows of the page, followed."""
    filters = Filters.of(request.query_params)

    async def render() -> list[Fragment]:
        if filters.wrong:
            return []
        return _rows(place, viewer, await found(place, viewer, filters))

    key = ("deliveries", *whose(viewer), filters)
    return live(place, key, render, request, ["deliveries"])


def whose(viewer: Viewer) -> tuple[str | None, ...]:
    """What two viewers must have in common to be shown the same rows with the same links."""
    return (viewer.merchant_id, viewer.mode, viewer.base, str(viewer.may_write))


async def found(place: Place, viewer: Viewer, filters: Filters) -> Sequence[Row]:
    """The rows that this viewer asks for, newest first."""
    behind = None
    if filters.before:
        row = await place.postgres.fetch_row(
            "dashboard_delivery_place", viewer.merchant_id, viewer.mode, filters.before
        )
        behind = (row["created_at"], row["id"]) if row else None
    indexed, also = filters.clauses(behind)
    return await place.postgres.fetch_where(
        "dashboard_deliveries",
        {"where": indexed.where, "also": also},
        *(viewer.merchant_id, viewer.mode, ROWS_MAX, LOOKED_THROUGH_MAX, *indexed.values),
    )


def _rows(place: Place, viewer: Viewer, rows: Sequence[Row]) -> list[Fragment]:
    fragment = place.pages.fragment
    shown = [
        Fragment(
            row["id"],
            fragment("deliveries_row.html", row=delivery_shown(row), viewer=viewer),
            "deliveries",
        )
        for row in rows
    ]
    nothing = fragment("deliveries_empty.html", hidden=bool(rows), viewer=viewer)
    return [*shown, Fragment("no-deliveries", nothing)]


async def show(place: Place, request: Request, viewer: Viewer) -> Response:
    """One delivery with its attempts."""
    delivery_id = request.path_params["id"]
    row = await _one(place, viewer, delivery_id)
    if row is None:
        return missing(place, viewer, "delivery")
    parts = await _parts(place, viewer, row)
    return place.pages.page(
        "delivery.html", viewer, place=place, here="deliveries", row=row, parts=parts
    )


async def stream_one(place: Place, request: Request, viewer: Viewer) -> Response:
    """The parts of one delivery's page, followed."""
    delivery_id = request.path_params["id"]

    async def render() -> list[Fragment]:
        row = await _one(place, viewer, delivery_id)
        return [] if row is None else await _parts(place, viewer, row)

    return live(place, ("delivery", *whose(viewer), delivery_id), render, request)


async def _one(place: Place, viewer: Viewer, delivery_id: str) -> Row | None:
    return await place.postgres.fetch_row(
        "dashboard_delivery", viewer.merchant_id, viewer.mode, delivery_id
    )


async def _parts(place: Place, viewer: Viewer, row: Row) -> list[Fragment]:
    attempts = await place.postgres.fetch(
        "dashboard_attempts", row["id"], row["created_at"], ATTEMPTS_MAX
    )
    shown = [attempt_shown(one, row["payload"]) for one in attempts]
    delivery = delivery_shown(row)
    fragment = place.pages.fragment
    facts = fragment("delivery_facts.html", row=delivery, viewer=viewer)
    made = fragment("delivery_attempts.html", attempts=shown, most=ATTEMPTS_MAX)
    return [Fragment("delivery-facts", facts), Fragment("delivery-attempts", made)]


DELIVERIES = Screen(
    "deliveries",
    "Deliveries",
    (
        Path("/deliveries", get=listed),
        Path("/deliveries/live", get=stream),
        Path("/deliveries/retry", post=retry),
        Path("/deliveries/cancel", post=cancel),
        Path("/deliveries/{id}", get=show),
        Path("/deliveries/{id}/live", get=stream_one),
    ),
)
