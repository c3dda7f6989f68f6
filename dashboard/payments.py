"""The screen Payments: the newest first, live, with filters in the address."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard.hub import Fragment
from headgate.dashboard.live import live
from headgate.dashboard.place import Place
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import Viewer

ROWS_MAX = 50
"""Payments on one page."""


async def listed(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page."""
    del request
    rows = await _rows(place, viewer)
    return place.pages.page("payments.html", viewer, place=place, here="payments", rows=rows)


async def stream(place: Place, request: Request, viewer: Viewer) -> Response:
    """The rows of the page, followed."""

    async def render() -> list[Fragment]:
        return await _rows(place, viewer)

    return live(place, ("payments", viewer.merchant_id, viewer.mode), render, request, ["payments"])


async def _rows(place: Place, viewer: Viewer) -> list[Fragment]:
    found = await place.postgres.fetch(
        "dashboard_payments", viewer.merchant_id, viewer.mode, ROWS_MAX
    )
    return [
        Fragment(row["id"], place.pages.fragment("payments_row.html", row=row), "payments")
        for row in found
    ]


PAYMENTS = Screen(
    "payments",
    "Payments",
    (Path("/payments", get=listed), Path("/payments/live", get=stream)),
)
