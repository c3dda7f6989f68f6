"""The screen Payments: the newest first, live, with the search in the address."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from headgate.dashboard.answers import said
from headgate.dashboard.app import form_of
from headgate.dashboard.export import csv_of
from headgate.dashboard.hub import Fragment
from headgate.dashboard.live import live
from headgate.dashboard.payment_rows import (
    EXPORT_ROWS_MAX,
    LIVE_LOOKED_AT_MAX,
    LOOKED_AT_MAX,
    Page,
    PaymentRows,
)
from headgate.dashboard.place import Place
from headgate.dashboard.qualifiers import FIELDS, Selection, selection
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import Viewer
from headgate.tables.payment_search import SearchInvalid

ROWS_MAX = 50
"""Payments on one page."""
SEARCHES_MAX = 20
"""Searches that one person keeps."""
NAME_CHARACTERS_MAX = 40
ADDRESS = "/dashboard/payments"
VIEWS = (
    ("All", ""),
    ("Failed", "status:failed"),
    ("In doubt", "state:in_doubt"),
    ("Held", "state:authorized"),
    ("UPI", "method:upi"),
    ("Cards", "method:card"),
)
"""Searches that everybody has."""
COLUMNS = (
    "id", "created_at", "merchant_id", "order_id", "customer_id", "method", "amount", "currency",
    "status", "state", "amount_refunded",
)  # fmt: skip
"""Of the CSV file. Amounts are whole minor units, as everywhere in the API."""


_ID = re.compile(r"[a-z0-9_]{1,40}")


async def listed(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page."""
    chosen, why_not = _chosen(request)
    after = after_in(request)
    page = Page((), None)
    if why_not is None:
        page = await PaymentRows(place.postgres, viewer).page(chosen, after, ROWS_MAX)
    searches = await place.postgres.fetch("dashboard_searches", viewer.id)
    return place.pages.page(
        "payments.html", viewer, status=200 if why_not is None else 400, place=place,
        here="payments", rows=_fragments(place, viewer, page), search=chosen.text, why_not=why_not,
        live_at=None if after or why_not else _address("/live", q=chosen.text),
        older=_address("", q=chosen.text, after=page.after) if page.after else None,
        newest=_address("", q=chosen.text) if after else None, cut_short=page.cut_short,
        csv=_address(".csv", q=chosen.text), csv_rows=EXPORT_ROWS_MAX, looked_at=LOOKED_AT_MAX,
        fields=FIELDS, searches=[(row["name"], _address("", q=row["query"])) for row in searches],
        views=[(name, _address("", q=query)) for name, query in VIEWS],
        name_max=NAME_CHARACTERS_MAX,
    )  # fmt: skip


async def stream(place: Place, request: Request, viewer: Viewer) -> Response:
    """The rows of the first page, followed."""
    chosen, why_not = _chosen(request)
    if why_not is not None:
        return Response(why_not, 400, media_type="text/plain")

    async def render() -> list[Fragment]:
        rows = PaymentRows(place.postgres, viewer)
        page = await rows.page(chosen, None, ROWS_MAX, LIVE_LOOKED_AT_MAX)
        return _fragments(place, viewer, page)

    return live(
        place,
        ("payments", viewer.merchant_id, viewer.mode, chosen.text),
        render,
        request,
        ["payments"],
    )


async def exported(place: Place, request: Request, viewer: Viewer) -> Response:
    """The newest payments of the search as CSV."""
    chosen, why_not = _chosen(request)
    if why_not is not None:
        return Response(why_not, 400, media_type="text/plain")
    pages = PaymentRows(place.postgres, viewer).export(chosen)
    return await csv_of(f"payments-{viewer.mode}", COLUMNS, pages)


async def keep(place: Place, request: Request, viewer: Viewer) -> Response:
    """Keep the search under a name, or forget the one with this name."""
    form = form_of(request)
    query, forget = form.get("q", ""), form.get("forget")
    if forget:
        await place.postgres.fetch("dashboard_forget_search", viewer.id, _printable(forget))
    elif refused := await _kept(place, viewer, _printable(form.get("name", "")), query):
        return said(place, viewer, 400, "The search is not kept", refused)
    return RedirectResponse(_address("", q=query), 303)


async def _kept(place: Place, viewer: Viewer, name: str, query: str) -> str | None:
    """Keep a search; why not, if it cannot be."""
    if not name:
        return "Give it a name."
    try:
        text = selection(query).text
    except SearchInvalid as error:
        return f"It cannot be read: {error}."
    rows = await place.postgres.fetch("dashboard_save_search", viewer.id, name, text, SEARCHES_MAX)
    return None if rows else f"You keep {SEARCHES_MAX} searches already. Forget one first."


def _printable(text: str) -> str:
    """A name without what neither a page nor PostgreSQL can show."""
    return "".join(one for one in text if one.isprintable()).strip()[:NAME_CHARACTERS_MAX]


def _chosen(request: Request) -> tuple[Selection, str | None]:
    """What the address selects, or why that cannot be read."""
    text = request.query_params.get("q", "")
    try:
        return selection(text), None
    except SearchInvalid as error:
        why = str(error)
        return Selection(text[:500]), f"{why[0].upper()}{why[1:]}."


def after_in(request: Request) -> str | None:
    """The id that the page begins behind, if the address has one."""
    after = request.query_params.get("after", "")
    return after if _ID.fullmatch(after) else None


def _address(path: str, **query: str | None) -> str:
    given = {name: value for name, value in query.items() if value}
    return f"{ADDRESS}{path}?{urlencode(given)}" if given else ADDRESS + path


def _fragments(place: Place, viewer: Viewer, page: Page) -> list[Fragment]:
    shown = {"operator": viewer.is_operator}
    return [
        Fragment(row["id"], place.pages.fragment("payments_row.html", row=row, **shown), "payments")
        for row in page.rows
    ]


PAYMENTS = Screen(
    "payments",
    "Payments",
    (
        Path("/payments", get=listed),
        Path("/payments/live", get=stream),
        Path("/payments.csv", get=exported),
        Path("/payments/searches", post=keep),
    ),
)
