"""The screen In doubt: what the bank could not tell, and what a person has to decide."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard.acting import Acting
from headgate.dashboard.app import form_of
from headgate.dashboard.hub import Fragment
from headgate.dashboard.live import live
from headgate.dashboard.place import Place
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import Viewer
from headgate.tables.postgres import Row

ROWS_MAX = 200
"""Payments, and captures and the like, that are shown; the oldest."""
AT_ONCE_MAX = 100
"""What one form resolves."""
TOGETHER = 4
"""Resolutions that are asked of the edge at the same time."""
OUTCOMES = ("succeeded", "failed")
_PICK = "pick."
_KEY = re.compile(r"dash_[A-Za-z0-9_-]{22}")


class Result(NamedTuple):
    """What became of one row."""

    id: str
    payment_id: str
    done: bool
    said: str


async def listed(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page."""
    del request
    return await _page(place, viewer)


async def stream(place: Place, request: Request, viewer: Viewer) -> Response:
    """How many there are, followed: rows that are being picked must not move."""

    async def render() -> list[Fragment]:
        return [_count(place, await _rows(place, viewer))]

    return live(place, ("in_doubt", viewer.merchant_id, viewer.mode), render, request)


async def resolve(place: Place, request: Request, viewer: Viewer) -> Response:
    """Say how the picked ones ended, one by one, each with its own answer."""
    form = form_of(request)
    picked = [name.removeprefix(_PICK) for name in form if name.startswith(_PICK)]
    evidence, outcome, key = (form.get(name, "") for name in ("evidence", "outcome", "key"))
    wrong = _wrong(picked, evidence, outcome, key)
    if wrong is not None:
        return await _page(place, viewer, wrong=wrong, status=400)
    rows = await place.postgres.fetch(
        "dashboard_to_resolve", viewer.merchant_id, viewer.mode, picked
    )
    body = {"outcome": outcome, "evidence": evidence.strip()}
    turns = asyncio.Semaphore(TOGETHER)

    async def one(row: Row) -> Result:
        async with turns:
            return await _resolved(place, viewer, row, body, key)

    results = await asyncio.gather(*(one(row) for row in rows))
    return await _page(place, viewer, results=results)


def _wrong(picked: Sequence[str], evidence: str, outcome: str, key: str) -> str | None:
    if not picked:
        return "Pick at least one."
    if len(picked) > AT_ONCE_MAX:
        return f"Pick at most {AT_ONCE_MAX} at once."
    if outcome not in OUTCOMES:
        return "Say how it ended."
    if not evidence.strip():
        return "Say how you know: a statement, or whom you spoke to."
    return None if _KEY.fullmatch(key) else "The form was damaged; send it again."


async def _resolved(
    place: Place, viewer: Viewer, row: Row, body: dict[str, str], key: str
) -> Result:
    acting = Acting(place, viewer, row["merchant_id"], row["mode"], "operator")
    path = f"/payments/{row['payment_id']}/resolve"
    given = {**body, "child_id": row["id"]}
    answered = await acting.ask("POST", path, given, f"{key}-{row['id']}")
    said = f"resolved as {body['outcome']}" if answered.ok else answered.refusal
    return Result(row["id"], row["payment_id"], answered.ok, said)


async def _rows(place: Place, viewer: Viewer) -> Sequence[Row]:
    owner = "merchant_id = $1" if viewer.merchant_id else "$1::text is null"
    return await place.postgres.fetch_where(
        "dashboard_in_doubt", {"whose": owner}, viewer.merchant_id, viewer.mode, ROWS_MAX
    )


def _count(place: Place, rows: Sequence[Row]) -> Fragment:
    review = sum(row["state"] == "needs_review" for row in rows)
    html = place.pages.fragment("in_doubt_count.html", review=review, doubt=len(rows) - review)
    return Fragment("in-doubt-count", html)


async def _page(
    place: Place,
    viewer: Viewer,
    *,
    results: Sequence[Result] = (),
    wrong: str | None = None,
    status: int = 200,
) -> Response:
    rows = await _rows(place, viewer)
    return place.pages.page(
        "in_doubt.html", viewer, status=status, place=place, here="in_doubt", results=results,
        wrong=wrong, review=[row for row in rows if row["state"] == "needs_review"],
        doubt=[row for row in rows if row["state"] != "needs_review"],
        count=_count(place, rows).html, may=viewer.is_operator and viewer.may_write,
        key=f"dash_{secrets.token_urlsafe(16)}", at_once=AT_ONCE_MAX,
    )  # fmt: skip


IN_DOUBT = Screen(
    "in_doubt",
    "In doubt",
    (
        Path("/in-doubt", get=listed),
        Path("/in-doubt/live", get=stream),
        Path("/in-doubt/resolve", post=resolve, operators_only=True),
    ),
)
