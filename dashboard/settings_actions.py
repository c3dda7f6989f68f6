"""What is changed on Settings & audit: the merchant, where its webhooks go, its simulated bank."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard.acting import Acting
from headgate.dashboard.answers import done, missing, refused, said
from headgate.dashboard.app import form_of
from headgate.dashboard.place import Place
from headgate.dashboard.rest import Answered
from headgate.dashboard.viewer import Viewer
from headgate.tables.postgres import Row
from headgate.tables.scopes import Scope

RATIOS = ("approve_ratio", "error_ratio", "timeout_ratio", "duplicate_ratio")


async def set_merchant(place: Place, request: Request, viewer: Viewer) -> Response:
    """Change a merchant's name, and whether it insists on idempotency keys."""
    form = form_of(request)
    body = {"name": form.get("name", ""), "require_keys": form.get("require_keys") == "on"}
    row, answered = await _asked(place, viewer, form, ("keys:write", "PATCH", "/merchant"), body)
    return _answer(place, request, viewer, row, answered)


async def set_webhook(place: Place, request: Request, viewer: Viewer) -> Response:
    """Change where the default endpoint's webhooks go; a secret that is drawn is shown once."""
    form = form_of(request)
    asks: tuple[Scope, str, str] = ("webhooks:write", "PUT", "/webhooks/settings")
    row, answered = await _asked(place, viewer, form, asks, {"webhookUrl": form.get("url", "")})
    if answered is not None and answered.ok:
        drawn, doubt = (
            answered.document.get(name) for name in ("webhook_secret", "verification_error")
        )
        if drawn:
            text = f"The secret that signs them is {drawn}. Copy it now: it is shown only once."
            return said(place, viewer, 200, "Webhooks are on their way", text)
        if doubt:
            return said(place, viewer, 200, "Stored, but nothing is sent yet", str(doubt))
    return _answer(place, request, viewer, row, answered)


async def set_bank(place: Place, request: Request, viewer: Viewer) -> Response:
    """Set how the simulated bank behaves for the merchant's test payments; `reset` unsets it."""
    form = form_of(request)
    method = "DELETE" if "reset" in form else "PUT"
    body = None if method == "DELETE" else knobs_of(form)
    row, answered = await _asked(
        place, viewer, form, ("test:write", method, "/test/acquirer"), body
    )
    return _answer(place, request, viewer, row, answered)


def knobs_of(form: Mapping[str, str]) -> dict[str, Any]:
    """The knobs of a form, as the REST surface takes them; it says what is wrong with them."""
    given = {name: text.strip() for name, text in form.items() if text.strip()}
    body: dict[str, Any] = {name: number(given[name]) for name in RATIOS if name in given}
    if "latency_min" in given or "latency_max" in given:
        least = number(given.get("latency_min", "0"))
        body["latency_ms"] = {"min": least, "max": number(given.get("latency_max", str(least)))}
    if "seed" in given:
        body["seed"] = given["seed"]
    outage = given.get("outage", "no")
    if outage == "until":
        body["outage"] = f"{given.get('until', '')}Z"
    else:
        body["outage"] = outage == "yes"
    return body


def number(text: str) -> int | float | str:
    """The number that somebody wrote; the text when it is none, so that it is refused by name.
    What is not finite is no number in JSON."""
    for kind in (int, float):
        try:
            found = kind(text)
        except ValueError:
            continue
        if isinstance(found, int) or math.isfinite(found):
            return found
    return text


async def _asked(
    place: Place,
    viewer: Viewer,
    form: Mapping[str, str],
    asks: tuple[Scope, str, str],
    body: dict[str, Any] | None,
) -> tuple[Row | None, Answered | None]:
    """The merchant that the form is about, if this viewer has it, and what the edge answered."""
    row = await place.postgres.fetch_row(
        "dashboard_merchant", viewer.merchant_id, viewer.mode, form.get("merchant", "")
    )
    if row is None:
        return None, None
    scope, method, path = asks
    acting = Acting(place, viewer, row["id"], viewer.mode, scope)
    return row, await acting.ask(method, path, body)


def _answer(
    place: Place, request: Request, viewer: Viewer, row: Row | None, answered: Answered | None
) -> Response:
    if row is None or answered is None:
        return missing(place, viewer, "merchant")
    if not answered.ok:
        return refused(place, request, viewer, answered)
    return done(request, viewer, "Stored.", f"/settings/{row['id']}")
