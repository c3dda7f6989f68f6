"""The cookie of a session: where its secret is, and how a browser is to keep it."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard.own_machine import is_own_machine
from headgate.streams.settings import Settings

PLAIN = "headgate_session"
"""Over http, which only a test on one's own machine should use."""
HOST_ONLY = "__Host-headgate_session"
"""Over https. The prefix makes browsers refuse it from any other host, and without `Secure`."""


def secret_of(request: Request, settings: Settings) -> str:
    """The secret that the browser sent; empty for none. Where people come over https the plain one
    counts for nothing: any host of the same domain can have a browser send it."""
    given = request.cookies.get(HOST_ONLY)
    if given is None and not _is_public_by_https(request, settings):
        given = request.cookies.get(PLAIN)
    return given or ""


def put(response: Response, request: Request, settings: Settings, secret: str) -> None:
    """Have the browser keep the secret until it is closed; the server ends the session earlier."""
    secure = _is_https(request, settings)
    response.set_cookie(
        HOST_ONLY if secure else PLAIN,
        secret,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def drop(response: Response) -> None:
    """Have the browser forget the secret."""
    response.delete_cookie(PLAIN, path="/", httponly=True, samesite="lax")
    response.delete_cookie(HOST_ONLY, path="/", secure=True, httponly=True, samesite="lax")


def is_kept(request: Request, settings: Settings) -> bool:
    """Whether the browser that sent this form would keep the cookie: over http it keeps none that
    is for https, but for its own machine."""
    came = urlsplit(request.headers.get("origin", ""))
    keeps = came.scheme != "http" or is_own_machine(came.hostname or "")
    return keeps or not settings.public_url.startswith("https:")


def _is_https(request: Request, settings: Settings) -> bool:
    """Whether the browser speaks https. A proxy in front of us may end it, and browsers tell the
    origin of every form that they send."""
    told = request.headers.get("origin", "").startswith("https:")
    return told or _is_public_by_https(request, settings)


def _is_public_by_https(request: Request, settings: Settings) -> bool:
    """Whether https is the way here, by this connection or by what is set for all of them."""
    return request.scope["scheme"] == "https" or settings.public_url.startswith("https:")
