"""What is done with endpoints: made, changed, tested, rotated, held, deleted, replayed to."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard import endpoint_fields, endpoint_rows
from headgate.dashboard.acting import Acting
from headgate.dashboard.answers import done, missing, refused, said
from headgate.dashboard.app import form_of
from headgate.dashboard.delivery_filters import moment
from headgate.dashboard.endpoint_fields import FieldWrong
from headgate.dashboard.endpoints import page_of
from headgate.dashboard.place import Place
from headgate.dashboard.rest import Answered
from headgate.dashboard.screens import Answer
from headgate.dashboard.viewer import Viewer
from headgate.dashboard.whole_number import whole_number
from headgate.streams import ids
from headgate.tables.schedules import SCHEDULES

SIMPLE = {
    "test": "A test event is on its way; see Deliveries.",
    "verify": "The receiver agrees.",
    "enable": "Events go there again, those that wait first.",
    "disable": "Nothing goes there until it is enabled again.",
}
"""Actions without a field, and what is said when they are done."""


async def new(place: Place, request: Request, viewer: Viewer) -> Response:
    """The form of a new endpoint."""
    del request
    return _form(place, viewer, endpoint_fields.NEW, "")


async def create(place: Place, request: Request, viewer: Viewer) -> Response:
    """Make an endpoint, and show its secret this once. Sent again, it shows the same one."""
    form = form_of(request)
    try:
        asked = endpoint_fields.to_request(form)
    except FieldWrong as wrong:
        return _form(place, viewer, form, str(wrong))
    merchant_id = await _whose(place, viewer, form)
    if merchant_id is None:
        return _form(place, viewer, form, "Say whose endpoint it is to be: the merchant's id.")
    acting = Acting(place, viewer, merchant_id, viewer.mode, "webhooks:write")
    answered = await acting.ask("POST", "/webhook_endpoints", asked, form.get("key") or None)
    if not answered.ok:
        return _form(place, viewer, form, answered.refusal)
    return _secret(place, viewer, answered, "The endpoint is made")


async def _whose(place: Place, viewer: Viewer, form: dict[str, str]) -> str | None:
    """Whose endpoint it is to be. An operator says it, and it has to be a merchant; everybody else
    has no choice."""
    if viewer.merchant_id is not None:
        return viewer.merchant_id
    row = await place.postgres.fetch_row(
        "dashboard_merchant", None, viewer.mode, form.get("merchant", "").strip()
    )
    return row["id"] if row else None


def _form(place: Place, viewer: Viewer, fields: dict[str, str], error: str) -> Response:
    return place.pages.page(
        "endpoint_new.html",
        viewer,
        status=400 if error else 200,
        place=place,
        here="endpoints",
        fields=endpoint_fields.all_of(fields),
        error=error,
        schedules=SCHEDULES,
        key=fields.get("key") or ids.draw_key(),
    )


def _secret(place: Place, viewer: Viewer, answered: Answered, title: str) -> Response:
    """The page with a secret that was made just now; no other page shows one in clear."""
    return place.pages.page(
        "endpoint_secret.html",
        viewer,
        place=place,
        here="endpoints",
        title=title,
        endpoint=answered.document,
    )


async def change(place: Place, request: Request, viewer: Viewer) -> Response:
    """Change what the form says."""
    named = await _named(place, request, viewer)
    if named is None:
        return missing(place, viewer, "endpoint")
    row, acting = named
    form = form_of(request)
    path = f"/webhook_endpoints/{row['id']}"
    try:
        answered = await acting.ask("PATCH", path, endpoint_fields.to_request(form))
        error = "" if answered.ok else answered.refusal
    except FieldWrong as wrong:
        error = str(wrong)
    if not error:
        return done(request, viewer, "The endpoint is changed.", f"/endpoints/{row['id']}")
    shown = await acting.ask("GET", path)
    if not shown.ok:
        return refused(place, request, viewer, shown)
    return await page_of(place, viewer, row, shown.document, fields=form, error=error)


async def rotate(place: Place, request: Request, viewer: Viewer) -> Response:
    """Give it a new secret, and show that this once."""
    named = await _named(place, request, viewer)
    if named is None:
        return missing(place, viewer, "endpoint")
    row, acting = named
    form = form_of(request)
    hours = whole_number(form.get("hours", ""))
    if hours is None:
        return said(place, viewer, 400, "Nothing was done", "The overlap is no number of hours.")
    answered = await acting.ask(
        "POST",
        f"/webhook_endpoints/{row['id']}/rotate_secret",
        {"overlap_s": hours * 3600},
        form.get("key") or None,
    )
    if not answered.ok:
        return refused(place, request, viewer, answered)
    return _secret(place, viewer, answered, "The secret is rotated")


def simple(action: str) -> Answer:
    """The handler of an action that has no fields."""

    async def handle(place: Place, request: Request, viewer: Viewer) -> Response:
        named = await _named(place, request, viewer)
        if named is None:
            return missing(place, viewer, "endpoint")
        row, acting = named
        answered = await acting.ask("POST", f"/webhook_endpoints/{row['id']}/{action}")
        if not answered.ok:
            return refused(place, request, viewer, answered)
        return done(request, viewer, SIMPLE[action], f"/endpoints/{row['id']}")

    return handle


async def delete(place: Place, request: Request, viewer: Viewer) -> Response:
    """Delete it for ever, when the box that says so is ticked."""
    named = await _named(place, request, viewer)
    if named is None:
        return missing(place, viewer, "endpoint")
    row, acting = named
    if form_of(request).get("sure") != "on":
        return said(place, viewer, 400, "Nothing was done", "Tick the box to delete the endpoint.")
    answered = await acting.ask("DELETE", f"/webhook_endpoints/{row['id']}")
    if not answered.ok:
        return refused(place, request, viewer, answered)
    return done(request, viewer, "The endpoint is deleted.", "/endpoints")


async def resend(place: Place, request: Request, viewer: Viewer) -> Response:
    """Send everything again that has not arrived there since a time, as a replay."""
    named = await _named(place, request, viewer)
    if named is None:
        return missing(place, viewer, "endpoint")
    row, acting = named
    form = form_of(request)
    since = moment(form.get("since", ""))
    if since is None:
        return said(place, viewer, 400, "Nothing was done", "Say since when, as a time in UTC.")
    asked = {"endpoint_id": row["id"], "from": since.isoformat(), "only": "failed"}
    answered = await acting.ask("POST", "/webhook_replays", asked, form.get("key") or None)
    if not answered.ok:
        return refused(place, request, viewer, answered)
    text = "What has not arrived is sent again; see below."
    return done(request, viewer, text, f"/endpoints/{row['id']}#resend")


async def _named(
    place: Place, request: Request, viewer: Viewer
) -> tuple[dict[str, Any], Acting] | None:
    """The endpoint that the address names, and who acts on it; None when it is not there for this
    viewer."""
    row = await endpoint_rows.one(place, viewer, request.path_params["id"])
    if row is None:
        return None
    return row, Acting(place, viewer, row["merchant_id"], row["mode"], "webhooks:write")
