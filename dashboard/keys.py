"""The screen Keys & requests: API keys, and what was asked with them, live."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard.answers import missing
from headgate.dashboard.fragments import Fragment
from headgate.dashboard.key_actions import create, revoke, rotate
from headgate.dashboard.live import live
from headgate.dashboard.place import Place
from headgate.dashboard.request_filters import IDEMPOTENCIES, STATUSES, RequestFilters
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import Viewer
from headgate.streams import ids
from headgate.tables.api_keys import OVERLAP_S_MAX
from headgate.tables.postgres import Row
from headgate.tables.scopes import DEFAULT_SCOPES, MEANINGS, in_order

KEYS_MAX = 100
"""API keys on one page; a merchant has no more that work."""
REQUESTS_MAX = 50
"""Requests on one page."""
LOOKED_THROUGH_MAX = 20_000
"""Requests that are looked through for what no index knows, such as a problem's code."""
PREFIX_CHARACTERS_MAX = 40


async def listed(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page."""
    filters, prefix = RequestFilters.of(request.query_params), _prefix(request)
    requests = await _requests(place, viewer, filters)
    keys = await place.postgres.fetch("dashboard_keys", *_whose(viewer), prefix, KEYS_MAX)
    return place.pages.page(
        "keys.html",
        viewer,
        place=place,
        here="keys",
        filters=filters,
        prefix=prefix,
        statuses=tuple(STATUSES),
        idempotencies=IDEMPOTENCIES,
        keys=_key_rows(place, viewer, keys),
        requests=_request_rows(place, viewer, requests),
        older=str(filters.behind(requests[-1]["id"])) if len(requests) == REQUESTS_MAX else "",
        looked_through=LOOKED_THROUGH_MAX,
        days=place.settings.request_log_days,
        scopes=[(scope, MEANINGS[scope]) for scope in MEANINGS if scope in DEFAULT_SCOPES],
        once=ids.draw_key(),
    )


async def stream(place: Place, request: Request, viewer: Viewer) -> Response:
    """The keys and requests of the page, followed."""
    filters, prefix = RequestFilters.of(request.query_params), _prefix(request)

    async def render() -> list[Fragment]:
        keys = await place.postgres.fetch("dashboard_keys", *_whose(viewer), prefix, KEYS_MAX)
        requests = await _requests(place, viewer, filters)
        return [*_key_rows(place, viewer, keys), *_request_rows(place, viewer, requests)]

    key = ("keys", *_whose(viewer), viewer.base, filters, prefix)
    return live(place, key, render, request, ("keys", "requests"))


async def show(place: Place, request: Request, viewer: Viewer) -> Response:
    """One key, and what can be done with it."""
    key_id = request.path_params["id"]
    row = await place.postgres.fetch_row("dashboard_key", *_whose(viewer), key_id)
    if row is None:
        return missing(place, viewer, "API key")
    return place.pages.page(
        "key.html",
        viewer,
        place=place,
        here="keys",
        row=row,
        scopes=in_order(row["scopes"]),
        hours_max=OVERLAP_S_MAX // 3600,
        once=ids.draw_key(),
    )


def _whose(viewer: Viewer) -> tuple[str | None, str]:
    return (viewer.merchant_id, viewer.mode)


def _prefix(request: Request) -> str:
    given = request.query_params.get("prefix", "").strip()
    return given if len(given) <= PREFIX_CHARACTERS_MAX and given.isprintable() else ""


async def _requests(place: Place, viewer: Viewer, filters: RequestFilters) -> Sequence[Row]:
    """The requests that this viewer asks for, newest first."""
    behind = None
    if filters.before:
        row = await place.postgres.fetch_row(
            "dashboard_request_place", *_whose(viewer), filters.before
        )
        behind = (row["at"], row["id"]) if row else None
    indexed, also = filters.clauses(behind)
    return await place.postgres.fetch_where(
        "dashboard_requests",
        {"where": indexed.where, "also": also},
        *(*_whose(viewer), REQUESTS_MAX, LOOKED_THROUGH_MAX, *indexed.values),
    )


def _key_rows(place: Place, viewer: Viewer, rows: Sequence[Row]) -> list[Fragment]:
    return [
        Fragment(
            row["id"],
            place.pages.fragment("keys_row.html", row=row, viewer=viewer, order=_order(row)),
            "keys",
        )
        for row in rows
    ]


def _request_rows(place: Place, viewer: Viewer, rows: Sequence[Row]) -> list[Fragment]:
    return [
        Fragment(
            row["id"],
            place.pages.fragment("requests_row.html", row=row, viewer=viewer, order=_order(row)),
            "requests",
        )
        for row in rows
    ]


def _order(row: Row) -> str:
    """What sorts rows by their time, then by their id."""
    moment = row.get("at") or row["created_at"]
    return f"{moment.astimezone(UTC):%Y%m%d%H%M%S%f}{row['id']}"


KEYS = Screen(
    "keys",
    "Keys & requests",
    (
        Path("/keys", get=listed),
        Path("/keys/live", get=stream),
        Path("/keys/create", post=create),
        Path("/keys/rotate", post=rotate),
        Path("/keys/revoke", post=revoke),
        Path("/keys/{id}", get=show),
    ),
)
