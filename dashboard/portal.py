"""The portal: Endpoints and Deliveries of one merchant, for whoever has a link, also in a frame.

The link's token stands in every address below `/portal`, so there is no cookie, which browsers keep
from frames of other sites; and nothing that a strange page could make a browser send along."""

from __future__ import annotations

import dataclasses
import re

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from headgate.dashboard.app import QUIET, message, mounted
from headgate.dashboard.deliveries import DELIVERIES
from headgate.dashboard.endpoint_screen import ENDPOINTS
from headgate.dashboard.place import Place
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import Viewer
from headgate.streams.clock import iso, now_ms
from headgate.streams.secrets import derived_key
from headgate.tables.portal_links import LinkRefused, PortalLink, read

PORTAL = "/portal"
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
"""What may stand in `frame-ancestors`; anything else is left out."""


def portal_routes(place: Place) -> list[Route]:
    """The two screens below each link."""
    portal = dataclasses.replace(place, screens=(HOME, ENDPOINTS, DELIVERIES))

    async def viewer_of(request: Request) -> Viewer | None:
        try:
            return await _viewer(place, request)
        except LinkRefused as refused:
            request.state.why = str(refused)
            return None

    def turned_away(request: Request) -> Response:
        why = f"{request.state.why} Ask for a new one where you got it."
        if QUIET in request.headers:
            return PlainTextResponse(why, 403)
        page = message(place, None, 403, "This link does not open anything", why)
        return _framed(page, getattr(request.state, "framed_by", "'none'"))

    return mounted(portal, f"{PORTAL}/{{token}}", viewer_of, turned_away)


def _framed(page: Response, framed_by: str) -> Response:
    """A page without a viewer that may stand where the portal stood."""
    name = "Content-Security-Policy"
    page.headers[name] = page.headers[name].replace(
        "frame-ancestors 'none'", f"frame-ancestors {framed_by}"
    )
    return page


async def _viewer(place: Place, request: Request) -> Viewer:
    """Whoever has the link. Raises LinkRefused, StoreUnavailable."""
    token = request.path_params["token"]
    link = read(place.settings.secret_key, token)
    row = await place.postgres.fetch_row("dashboard_portal", link.merchant_id, link.key_id)
    if row is None:
        raise LinkRefused("The merchant of this link does not exist any more.")
    framed_by = frame_ancestors(row["origins"])
    request.state.framed_by = framed_by
    if row["key_is_over"]:
        raise LinkRefused("The API key that asked for this link does not work any more.")
    if link.expires_ms <= now_ms():
        raise LinkRefused(f"This link was good until {iso(link.expires_ms)}.")
    return _viewer_of(place, link, token, row["name"], framed_by)


def _viewer_of(place: Place, link: PortalLink, token: str, name: str, framed_by: str) -> Viewer:
    purpose = f"headgate portal form {link.id}".encode()
    return Viewer(
        id=link.id,
        name=name,
        merchant_id=link.merchant_id,
        mode=link.mode,
        csrf=derived_key(place.settings.secret_key, purpose).hex(),
        base=f"{PORTAL}/{token}",
        framed_by=framed_by,
        may_write=link.access == "full",
    )


def frame_ancestors(origins: list[str]) -> str:
    """The sources of CSP's `frame-ancestors` for a merchant's origins."""
    return " ".join(one for one in origins if _ORIGIN.fullmatch(one)) or "'none'"


async def home(place: Place, request: Request, viewer: Viewer) -> Response:
    """Lead to the first screen."""
    del place, request
    return RedirectResponse(f"{viewer.base}/endpoints", 303)


HOME = Screen("home", "", (Path("", get=home),))
