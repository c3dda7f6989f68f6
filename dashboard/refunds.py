"""The screen Refunds: the newest first, live, with filters in the address."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard.hub import Fragment
from headgate.dashboard.live import live
from headgate.dashboard.place import Place
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import Viewer
from headgate.tables.conditions import Conditions
from headgate.tables.postgres import Row

ROWS_MAX = 50
"""Refunds on one page."""
LOOKED_AT_MAX = 20_000
"""Refunds that one page looks at for those that fit."""
STATES: dict[str, tuple[str, ...]] = {
    "pending": ("requested", "submitted", "in_doubt", "needs_review"),
    "processed": ("succeeded",),
    "failed": ("failed",),
    "canceled": ("canceled",),
    "needs_review": ("needs_review",),
}
"""The filter's words and the states behind them; as in the API, and what needs a person."""
_PARAMETERS = 4
_ID = re.compile(r"[a-z0-9_]{1,40}")


class Filters(NamedTuple):
    """What the address asks for; what makes no sense there is not asked for."""

    status: str = ""
    payment: str = ""
    after: str = ""

    def address(self, **change: str) -> str:
        """The query of this selection with some of it changed."""
        given = self._replace(**change)._asdict()
        return urlencode({name: value for name, value in given.items() if value})


def filters_in(request: Request) -> Filters:
    """Read the address."""
    given = request.query_params
    status = given.get("status", "")
    ids = [given.get(name, "").strip() for name in ("payment", "after")]
    payment, after = [one if _ID.fullmatch(one) else "" for one in ids]
    return Filters(status if status in STATES else "", payment, after)


async def listed(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page."""
    filters = filters_in(request)
    rows = await _rows(place, viewer, filters, ROWS_MAX + 1)
    more = len(rows) > ROWS_MAX
    older = filters.address(after=rows[ROWS_MAX - 1]["id"]) if more else None
    return place.pages.page(
        "refunds.html", viewer, place=place, here="refunds", filters=filters, older=older,
        words=STATES, rows=_fragments(place, viewer, rows[:ROWS_MAX]), looked_at=LOOKED_AT_MAX,
    )  # fmt: skip


async def stream(place: Place, request: Request, viewer: Viewer) -> Response:
    """The rows of the first page, followed."""
    filters = filters_in(request)._replace(after="")

    async def render() -> list[Fragment]:
        return _fragments(place, viewer, await _rows(place, viewer, filters, ROWS_MAX))

    key = ("refunds", viewer.merchant_id, viewer.mode, viewer.base, filters)
    return live(place, key, render, request, ["refunds"])


async def _rows(place: Place, viewer: Viewer, filters: Filters, limit: int) -> list[Row]:
    whose = (viewer.merchant_id, viewer.mode)
    after = Conditions(_PARAMETERS)
    if filters.after:
        row = await place.postgres.fetch_row("dashboard_refund_place", *whose, filters.after)
        if row is not None:
            after.add("(created_at, id) < ({}, {})", row["created_at"], row["id"])
    where = Conditions(_PARAMETERS + len(after.values))
    if filters.status:
        where.add("state = any({}::text[])", list(STATES[filters.status]))
    if filters.payment:
        where.add("payment_id = {}", filters.payment)
    owner = "merchant_id = $1" if viewer.merchant_id else "$1::text is null"
    clauses = {"whose": owner, "after": after.where, "where": where.where}
    found = await place.postgres.fetch_where(
        "dashboard_refunds", clauses, *whose, limit, LOOKED_AT_MAX, *after.values, *where.values
    )
    return list(found)


def _fragments(place: Place, viewer: Viewer, rows: list[Row]) -> list[Fragment]:
    return [
        Fragment(
            row["id"], place.pages.fragment("refunds_row.html", row=row, viewer=viewer), "refunds"
        )
        for row in rows
    ]


REFUNDS = Screen(
    "refunds",
    "Refunds",
    (Path("/refunds", get=listed), Path("/refunds/live", get=stream)),
)
