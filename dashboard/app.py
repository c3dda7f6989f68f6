"""The dashboard as an ASGI application: who is signed in, which screen answers, safe headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol
from urllib.parse import urlencode

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from headgate.dashboard.forms import FormLate, FormRefused, check_origin, check_token, read_form
from headgate.dashboard.live import crowded
from headgate.dashboard.pages import STATIC
from headgate.dashboard.place import Place
from headgate.dashboard.screens import Answer, Path
from headgate.dashboard.stands import Stands
from headgate.dashboard.viewer import Viewer
from headgate.streams.errors import HeadgateError
from headgate.tables.postgres import RowRefused

log = structlog.get_logger(__name__)

BASE = "/dashboard"
SIGN_IN = f"{BASE}/sign-in"
QUIET = "x-quiet"
"""The header of forms that a script sends and that stay on their page (`data-quiet`)."""
EVENT_STREAM = "text/event-stream"
FORM = "headgate.form"
"""Where a handler of a POST finds the form, in the request's state."""


class Doorman(Protocol):
    """Knows who is signed in."""

    async def viewer_of(self, request: Request) -> Viewer | None:
        """The person behind the request's cookie. Raises StoreUnavailable."""

    def routes(self, place: Place) -> Sequence[Route]:
        """Signing in and out, and what a person sets for the session."""


ViewerOf = Callable[[Request], Awaitable[Viewer | None]]
"""Who is behind a request; None is nobody who may look."""
TurnedAway = Callable[[Request], Response]
"""What somebody is answered who may not look."""


def create_dashboard(place: Place, doorman: Doorman, also: Sequence[Route] = ()) -> Starlette:
    """The dashboard over this place, and beside it the routes of `also`. Whoever is not signed in
    is led to the sign-in."""
    routes = [Route(f"{BASE}/static/{{name:path}}", _static, methods=["GET"])]
    routes += doorman.routes(place)
    routes += mounted(place, BASE, doorman.viewer_of, _to_sign_in)
    app = Starlette(routes=[*routes, *also])
    app.router.redirect_slashes = False
    app.state.place = place
    return app


async def _static(request: Request) -> Response:
    """A file that its link names by content, so browsers may keep it for ever."""
    wanted = (STATIC / request.path_params["name"]).resolve()
    if not wanted.is_relative_to(STATIC) or not wanted.is_file():
        return Response("There is no such file.", 404, media_type="text/plain")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return FileResponse(wanted, headers={**headers, "X-Content-Type-Options": "nosniff"})


def mounted(place: Place, base: str, viewer_of: ViewerOf, turned_away: TurnedAway) -> list[Route]:
    """The routes of the place's screens below `base`, for those whom `viewer_of` knows."""

    def route(path: Path) -> Route:
        async def work(request: Request) -> Response:
            viewer = await viewer_of(request)
            if viewer is None:
                return turned_away(request)
            return await _answered(place, viewer_of, viewer, path, request)

        async def answer(request: Request) -> Response:
            return await safely(place, lambda: work(request))

        methods = [name for name, given in (("GET", path.get), ("POST", path.post)) if given]
        return Route(f"{base}{path.path}", answer, methods=methods)

    return [route(path) for screen in place.screens for path in screen.paths]


async def safely(place: Place, work: Callable[[], Awaitable[Response]]) -> Response:
    """Every fault becomes a page for people."""
    try:
        return await work()
    except FormRefused as refused:
        page = message(place, None, refused.status, "Nothing was done", str(refused))
        if isinstance(refused, FormLate):
            page.headers["Connection"] = "close"  # The rest of the form is not waited for.
        return page
    except RowRefused as refused:
        log.info("a value that PostgreSQL does not take", reason=str(refused))
        text = "What you sent holds what no text here can, such as a zero character."
        return message(place, None, 400, "Nothing was done", text)
    except HeadgateError as away:
        log.info("a screen waits", reason=str(away))
        return message(place, None, 503, "Something is away", f"{away}. Try again in a moment.")


async def _answered(
    place: Place, viewer_of: ViewerOf, viewer: Viewer, path: Path, request: Request
) -> Response:
    if path.operators_only and not viewer.is_operator:
        return message(place, viewer, 404, "Not found", "There is nothing at this address.")
    handler = await _handler(path, request, viewer)
    response = await handler(place, request, viewer)
    if isinstance(response, StreamingResponse) and response.media_type == EVENT_STREAM:
        if place.hub.has_enough(viewer.id):
            return crowded("You have too many live pages open; close some.")
        stands = Stands(lambda: viewer_of(request), viewer)
        stream = stands.while_it_does(response.body_iterator)
        response.body_iterator = place.hub.of(viewer.id, stream)
    return response


def _to_sign_in(request: Request) -> Response:
    """Lead there, and back afterwards. A script is told instead: it would take the page for what it
    asked for."""
    if QUIET in request.headers or EVENT_STREAM in request.headers.get("accept", ""):
        return Response("Sign in again.", 401, media_type="text/plain")
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    onward = f"?{urlencode({'next': here})}" if request.method == "GET" else ""
    return RedirectResponse(SIGN_IN + onward, 303)


async def _handler(path: Path, request: Request, viewer: Viewer) -> Answer:
    if request.method != "POST":
        assert path.get is not None  # noqa: S101  the route lets no other methods in
        return path.get
    if not viewer.may_write:
        raise FormRefused("You may look at this, but change nothing.")
    check_origin(request)
    form = await read_form(request)
    check_token(form, viewer)
    setattr(request.state, FORM, form)
    assert path.post is not None  # noqa: S101  likewise
    return path.post


def form_of(request: Request) -> dict[str, str]:
    """The form of a POST, already checked."""
    form: dict[str, str] = getattr(request.state, FORM)
    return form


def message(place: Place, viewer: Viewer | None, status: int, title: str, text: str) -> Response:
    """A page that says one thing."""
    return place.pages.page(
        "message.html", viewer, status=status, title=title, text=text, place=place, here=""
    )
