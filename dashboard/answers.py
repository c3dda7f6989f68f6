"""What is answered to a form: a sentence where the page stays, another page where it does not."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from headgate.dashboard.place import Place
from headgate.dashboard.rest import Answered
from headgate.dashboard.viewer import Viewer

QUIET = "x-quiet"
"""The header of forms that a script sends and that stay on their page (`data-quiet`)."""


def done(request: Request, viewer: Viewer, text: str, path: str) -> Response:
    """It was done: say so, or lead to `path` below the viewer's screens."""
    if QUIET in request.headers:
        return PlainTextResponse(text)
    return RedirectResponse(viewer.base + path, 303)


def refused(place: Place, request: Request, viewer: Viewer, answered: Answered) -> Response:
    """It was not done: say why, in the words of the REST surface."""
    if QUIET in request.headers:
        return PlainTextResponse(answered.refusal, answered.status)
    return said(place, viewer, answered.status, "That was not done", answered.refusal)


def missing(place: Place, viewer: Viewer, what: str) -> Response:
    """There is none, or it is another's; nobody learns which."""
    return said(place, viewer, 404, "Not found", f"There is no {what} with this id.")


def said(place: Place, viewer: Viewer, status: int, title: str, text: str) -> Response:
    """A page that says one thing."""
    return place.pages.page(
        "message.html", viewer, status=status, title=title, text=text, place=place, here=""
    )
