"""The screen Settings & audit: what a merchant has set, its simulated bank, and who did what."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard.answers import missing
from headgate.dashboard.place import Place
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.settings_actions import set_bank, set_merchant, set_webhook
from headgate.dashboard.viewer import Viewer
from headgate.dashboard.whole_number import whole_number
from headgate.tables import acquirer_knobs

MERCHANTS_MAX = 100
"""Merchants on one page; others are found by their name."""
AUDIT_MAX = 50
"""Rows of the audit on one page."""
TEXT_CHARACTERS_MAX = 100
"""Longest value of a filter."""
_NEWEST = 2**63 - 1


async def listed(place: Place, request: Request, viewer: Viewer) -> Response:
    """A merchant's own settings; operators choose whose."""
    if viewer.merchant_id is not None:
        return await _of_merchant(place, viewer, viewer.merchant_id)
    name = _text(request, "name")
    rows = await place.postgres.fetch(
        "dashboard_merchants", viewer.merchant_id, name, MERCHANTS_MAX
    )
    return place.pages.page(
        "merchants.html", viewer, place=place, here="settings", rows=rows, name=name
    )


async def show(place: Place, request: Request, viewer: Viewer) -> Response:
    """The settings of one merchant."""
    return await _of_merchant(place, viewer, request.path_params["id"])


async def _of_merchant(place: Place, viewer: Viewer, merchant_id: str) -> Response:
    row = await place.postgres.fetch_row(
        "dashboard_merchant", viewer.merchant_id, viewer.mode, merchant_id
    )
    if row is None:
        return missing(place, viewer, "merchant")
    knobs = await acquirer_knobs.stored(place.postgres, row["id"])
    return place.pages.page(
        "settings.html", viewer, place=place, here="settings", row=row, knobs=knobs
    )


async def audited(place: Place, request: Request, viewer: Viewer) -> Response:
    """Who did what to what, newest first."""
    names = ("actor", "action", "subject")
    filters = {name: _text(request, name) for name in names}
    before = _text(request, "before")
    last = whole_number(before)
    rows = await place.postgres.fetch(
        "dashboard_audit",
        *(
            viewer.merchant_id,
            viewer.mode,
            *filters.values(),
            _NEWEST if last is None else last,
            AUDIT_MAX,
        ),
    )
    older = rows[-1]["id"] if len(rows) == AUDIT_MAX else None
    return place.pages.page(
        "audit.html", viewer, place=place, here="settings", rows=rows, filters=filters, older=older
    )


def _text(request: Request, name: str) -> str:
    given = request.query_params.get(name, "").strip()
    return given if len(given) <= TEXT_CHARACTERS_MAX and given.isprintable() else ""


SETTINGS = Screen(
    "settings",
    "Settings & audit",
    (
        Path("/settings", get=listed),
        Path("/settings/merchant", post=set_merchant),
        Path("/settings/webhook", post=set_webhook),
        Path("/settings/bank", post=set_bank),
        Path("/settings/{id}", get=show),
        Path("/audit", get=audited),
    ),
)
