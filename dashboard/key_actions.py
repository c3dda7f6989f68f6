"""What is done with API keys: made, replaced with an overlap, ended. Secrets are shown once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard.acting import Acting
from headgate.dashboard.answers import done, missing, refused
from headgate.dashboard.app import form_of
from headgate.dashboard.place import Place
from headgate.dashboard.rest import Answered
from headgate.dashboard.viewer import Viewer
from headgate.dashboard.whole_number import whole_number
from headgate.tables.postgres import Row
from headgate.tables.scopes import DEFAULT_SCOPES, OPERATOR, Scope, in_order

SCOPE_FIELD = "scope:"
"""What the names of the boxes begin with that grant a scope."""


async def create(place: Place, request: Request, viewer: Viewer) -> Response:
    """Make a key of the viewer's mode. The form's `once` makes a repeat find the same key."""
    form = form_of(request)
    merchant = await place.postgres.fetch_row(
        "dashboard_merchant", viewer.merchant_id, viewer.mode,
        viewer.merchant_id or form.get("merchant", ""),
    )  # fmt: skip
    if merchant is None:
        return missing(place, viewer, "merchant")
    scopes = granted(form)
    body: dict[str, Any] = {"scopes": in_order(scopes)}
    if form.get("name", "").strip():
        body["name"] = form["name"].strip()
    acting = Acting(place, viewer, merchant["id"], viewer.mode, "keys:write", scopes)
    answered = await acting.ask("POST", "/api_keys", body, form.get("once"))
    return _made(place, request, viewer, answered)


async def rotate(place: Place, request: Request, viewer: Viewer) -> Response:
    """Replace a key by one that may do the same; the old one works on for some hours."""
    form = form_of(request)
    row = await _row(place, viewer, form)
    if row is None:
        return missing(place, viewer, "API key")
    scopes = [cast("Scope", scope) for scope in row["scopes"] if scope != OPERATOR]
    acting = Acting(place, viewer, row["merchant_id"], row["mode"], "keys:write", scopes)
    path, body = (
        f"/api_keys/{row['id']}/rotate",
        {"overlap_s": overlap_s(form.get("hours", "").strip())},
    )
    return _made(place, request, viewer, await acting.ask("POST", path, body, form.get("once")))


async def revoke(place: Place, request: Request, viewer: Viewer) -> Response:
    """End a key at once."""
    row = await _row(place, viewer, form_of(request))
    if row is None:
        return missing(place, viewer, "API key")
    acting = Acting(place, viewer, row["merchant_id"], row["mode"], "keys:write")
    answered = await acting.ask("DELETE", f"/api_keys/{row['id']}")
    if not answered.ok:
        return refused(place, request, viewer, answered)
    return done(request, viewer, "The key works no longer.", f"/keys/{row['id']}")


def overlap_s(hours: str) -> int:
    """An overlap in seconds; for what is no number of hours -1, which the REST surface refuses."""
    number = whole_number(hours)
    return -1 if number is None else number * 3600


def granted(form: Mapping[str, str]) -> list[Scope]:
    """The scopes whose boxes are ticked; never that of operators."""
    ticked = {name.removeprefix(SCOPE_FIELD) for name in form if name.startswith(SCOPE_FIELD)}
    return [scope for scope in DEFAULT_SCOPES if scope in ticked]


async def _row(place: Place, viewer: Viewer, form: Mapping[str, str]) -> Row | None:
    return await place.postgres.fetch_row(
        "dashboard_key", viewer.merchant_id, viewer.mode, form.get("id", "")
    )


def _made(place: Place, request: Request, viewer: Viewer, answered: Answered) -> Response:
    """The new key with its secret, on a page that is not kept anywhere."""
    if not answered.ok:
        return refused(place, request, viewer, answered)
    return place.pages.page(
        "key_made.html", viewer, place=place, here="keys", key=answered.document
    )
