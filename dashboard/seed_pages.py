"""The seed's pages, `/`, `/webhooks` and `/docs`, for the demo merchant on one's own machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from headgate.dashboard.acting import Acting
from headgate.dashboard.answers import done, refused
from headgate.dashboard.app import SIGN_IN, form_of, mounted
from headgate.dashboard.deliveries import found, whose
from headgate.dashboard.delivery_filters import Filters
from headgate.dashboard.delivery_rows import delivery_shown
from headgate.dashboard.hub import Fragment
from headgate.dashboard.live import live
from headgate.dashboard.own_machine import is_own_machine
from headgate.dashboard.place import Place
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import HOME, Viewer
from headgate.streams.secrets import derived_key
from headgate.tables.merchants import DEMO_EMAIL, DEMO_KEY, DEMO_SECRET, demo_allowed
from headgate.tables.postgres import Row
from headgate.tables.scopes import Scope

SEED_PAGES = {"/": HOME, "/webhooks": f"{HOME}/endpoints", "/docs": HOME}
"""Its pages, and where they lead when they are not shown."""
SEED_STATUS = {"held": "pending", "parked": "pending", "canceled": "failed"}
"""The seed's words for what it did not know."""


def seed_routes(place: Place) -> list[Route]:
    """The pages where they are allowed, else ways to the dashboard and its sign-in."""
    if not (place.settings.demo_pages and demo_allowed(place.settings)):
        return [_leading(page, to) for page, to in SEED_PAGES.items()]
    seeds = dataclasses.replace(place, screens=SEED_SCREENS)

    async def viewer_of(request: Request) -> Viewer | None:
        return await _demo_viewer(place, request)

    return mounted(seeds, "", viewer_of, lambda _: RedirectResponse(SIGN_IN, 303))


def _leading(page: str, to: str) -> Route:
    async def lead(request: Request) -> Response:
        del request
        return RedirectResponse(to, 303)

    return Route(page, lead, methods=["GET"])


async def _demo_viewer(place: Place, request: Request) -> Viewer | None:
    host = request.url.hostname or ""
    if not is_own_machine(host):  # Another name that leads here is a trick (DNS rebinding).
        return None
    row = await place.postgres.fetch_row("merchant_by_email", DEMO_EMAIL)
    if row is None:
        return None
    csrf = derived_key(place.settings.secret_key, b"headgate demo pages").hex()
    return Viewer("usr_demo", row["name"], row["id"], "test", csrf, base="")


async def home(place: Place, request: Request, viewer: Viewer) -> Response:
    """The seed's dashboard: the keys, and where to go on."""
    del request
    return place.pages.page(
        "seed_home.html", viewer, place=place, here="home", key=DEMO_KEY, secret=DEMO_SECRET
    )


async def docs(place: Place, request: Request, viewer: Viewer) -> Response:
    """Three snippets."""
    return place.pages.page(
        "seed_docs.html",
        viewer,
        place=place,
        here="docs",
        url=str(request.base_url).rstrip("/"),
        key=DEMO_KEY,
        secret=DEMO_SECRET,
    )


async def webhooks(place: Place, request: Request, viewer: Viewer) -> Response:
    """Where webhooks go, and the log of them."""
    answered = await _acting(place, viewer, "webhooks:read").ask("GET", "/webhooks?limit=1")
    if not answered.ok:
        return refused(place, request, viewer, answered)
    config = answered.document["config"]
    return await _page(place, viewer, config["webhook_url"] or "", config["webhook_secret"] or "")


async def _page(place: Place, viewer: Viewer, url: str, secret: str, **more: Any) -> Response:
    return place.pages.page(
        "seed_webhooks.html",
        viewer,
        status=400 if more.get("error") else 200,
        place=place,
        here="webhooks",
        url=url,
        secret=secret,
        parts=_rows(place, await found(place, viewer, Filters())),
        **{"error": "", "saved": False, **more},
    )


async def save(place: Place, request: Request, viewer: Viewer) -> Response:
    """Change where webhooks go. A secret that this draws is shown this once."""
    url = form_of(request).get("url", "").strip()
    acting = _acting(place, viewer, "webhooks:write")
    answered = await acting.ask("PUT", "/webhooks/settings", {"webhookUrl": url})
    if not answered.ok:
        return await _page(place, viewer, url, "", error=answered.refusal)
    drawn = answered.document.get("webhook_secret")
    if drawn is None:
        return done(request, viewer, "Saved.", "/webhooks")
    return await _page(place, viewer, url, drawn, saved=True)


async def retry(place: Place, request: Request, viewer: Viewer) -> Response:
    """One more attempt, now."""
    delivery_id = form_of(request).get("id", "")
    acting = _acting(place, viewer, "webhooks:write")
    if not delivery_id.isidentifier():
        return done(request, viewer, "There is no such webhook.", "/webhooks")
    answered = await acting.ask("POST", f"/webhooks/{delivery_id}/retry")
    if not answered.ok:
        return refused(place, request, viewer, answered)
    return done(request, viewer, "Another attempt is on its way.", "/webhooks")


def _acting(place: Place, viewer: Viewer, scope: Scope) -> Acting:
    return Acting(place, viewer, viewer.merchant_id or "", viewer.mode, scope)


async def stream(place: Place, request: Request, viewer: Viewer) -> Response:
    """The log, followed."""

    async def render() -> list[Fragment]:
        return _rows(place, await found(place, viewer, Filters()))

    return live(place, ("seed", *whose(viewer)), render, request, ["webhook-logs"])


def _rows(place: Place, rows: Sequence[Row]) -> list[Fragment]:
    fragment = place.pages.fragment
    shown = [
        Fragment(row["id"], fragment("seed_webhooks_row.html", row=_shown(row)), "webhook-logs")
        for row in rows
    ]
    return [*shown, Fragment("no-logs", fragment("seed_webhooks_empty.html", hidden=bool(rows)))]


def _shown(row: Row) -> dict[str, Any]:
    shown = delivery_shown(row)
    return shown | {"status": SEED_STATUS.get(row["status"], row["status"])}


SEED_SCREENS = (
    Screen("home", "Dashboard", (Path("/", get=home),)),
    Screen(
        "webhooks",
        "Webhooks",
        (
            Path("/webhooks", get=webhooks, post=save),
            Path("/webhooks/live", get=stream),
            Path("/webhooks/retry", post=retry),
        ),
    ),
    Screen("docs", "API docs", (Path("/docs", get=docs),)),
)
