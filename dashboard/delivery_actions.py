"""What is done with one delivery: one more attempt, or none any more."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard.acting import Acting
from headgate.dashboard.answers import done, missing, refused
from headgate.dashboard.app import form_of
from headgate.dashboard.place import Place
from headgate.dashboard.viewer import Viewer


async def retry(place: Place, request: Request, viewer: Viewer) -> Response:
    """Ask for one more attempt, now."""
    return await _asked(place, request, viewer, "retry", "Another attempt is on its way.")


async def cancel(place: Place, request: Request, viewer: Viewer) -> Response:
    """Ask that no attempt follow."""
    return await _asked(place, request, viewer, "cancel", "No further attempt will be made.")


async def _asked(place: Place, request: Request, viewer: Viewer, what: str, text: str) -> Response:
    form = form_of(request)
    row = await place.postgres.fetch_row(
        "dashboard_delivery", viewer.merchant_id, viewer.mode, form.get("id", "")
    )
    if row is None:
        return missing(place, viewer, "delivery")
    acting = Acting(place, viewer, row["merchant_id"], row["mode"], "webhooks:write")
    answered = await acting.ask("POST", f"/webhook_deliveries/{row['id']}/{what}")
    if not answered.ok:
        return refused(place, request, viewer, answered)
    return done(request, viewer, text, f"/deliveries/{row['id']}")
