"""The screen In doubt: what the bank could not tell, and what a person has to decide; live."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard import in_doubt_acts
from headgate.dashboard.fragments import Fragment
from headgate.dashboard.in_doubt_acts import AT_ONCE_MAX, Result, inquired, resolved
from headgate.dashboard.live import live
from headgate.dashboard.place import Place
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import Viewer
from headgate.tables.postgres import Row

ROWS_MAX = 200
"""Payments, and captures and the like, that are shown; the oldest."""
BODIES = ("review", "doubt")
"""The table bodies: what needs a person, and what the bank is still asked about by itself."""
_FAR_US = 10**17


async def listed(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page."""
    del request
    return await _page(place, viewer)


async def stream(place: Place, request: Request, viewer: Viewer) -> Response:
    """Its rows, followed. They stand oldest first, so that new ones move none that is picked."""

    async def render() -> list[Fragment]:
        return await _parts(place, viewer)

    key = ("in_doubt", viewer.merchant_id, viewer.mode, viewer.base, viewer.may_write)
    return live(place, key, render, request, BODIES)


async def resolve(place: Place, request: Request, viewer: Viewer) -> Response:
    """Say how the picked ones ended."""
    done = await resolved(place, request, viewer)
    if isinstance(done, str):
        return await _page(place, viewer, wrong=done, status=400)
    return await _page(place, viewer, results=done)


async def inquire(place: Place, request: Request, viewer: Viewer) -> Response:
    """Ask the bank about the picked ones, once a page has named them and was given a reason."""
    done = await inquired(place, request, viewer)
    if isinstance(done, Response):
        return done
    if isinstance(done, str):
        return await _page(place, viewer, wrong=done, status=400)
    return await _page(place, viewer, results=done)


async def _parts(place: Place, viewer: Viewer) -> list[Fragment]:
    """What the page is made of: the count, the rows, and a word where there are none."""
    owner = "merchant_id = $1" if viewer.merchant_id else "$1::text is null"
    rows = await place.postgres.fetch_where(
        "dashboard_in_doubt", {"whose": owner}, viewer.merchant_id, viewer.mode, ROWS_MAX
    )
    review = [row for row in rows if row["state"] == "needs_review"]
    doubt = [row for row in rows if row["state"] != "needs_review"]
    html = place.pages.fragment("in_doubt_count.html", review=len(review), doubt=len(doubt))
    return [
        Fragment("in-doubt-count", html),
        *_body(place, viewer, "review", review),
        *_body(place, viewer, "doubt", doubt),
    ]


def _body(place: Place, viewer: Viewer, body: str, rows: Sequence[Row]) -> Iterable[Fragment]:
    may = viewer.is_operator and viewer.may_write
    for row in rows:
        name, order = f"{body}-{row['id']}", _oldest_first(row["created_at"])
        html = place.pages.fragment(
            "in_doubt_row.html", row=row, name=name, order=order, body=body, viewer=viewer, may=may
        )
        yield Fragment(name, html, body)
    html = place.pages.fragment("in_doubt_none.html", body=body, hidden=bool(rows))
    yield Fragment(f"no-{body}", html)


def _oldest_first(at: datetime) -> str:
    """A key that falls as time goes on, since rows stand in descending order of theirs."""
    return f"{_FAR_US - round(at.timestamp() * 1_000_000):017d}"


async def _page(
    place: Place,
    viewer: Viewer,
    *,
    results: Sequence[Result] = (),
    wrong: str | None = None,
    status: int = 200,
) -> Response:
    return place.pages.page(
        "in_doubt.html", viewer, status=status, place=place, here="in_doubt", results=results,
        wrong=wrong, parts=await _parts(place, viewer), may=viewer.is_operator and viewer.may_write,
        key=f"{in_doubt_acts.KEY_PREFIX}{secrets.token_urlsafe(16)}", at_once=AT_ONCE_MAX,
    )  # fmt: skip


IN_DOUBT = Screen(
    "in_doubt",
    "In doubt",
    (
        Path("/in-doubt", get=listed),
        Path("/in-doubt/live", get=stream),
        Path("/in-doubt/resolve", post=resolve, operators_only=True),
        Path("/in-doubt/inquire", post=inquire, operators_only=True),
    ),
)
