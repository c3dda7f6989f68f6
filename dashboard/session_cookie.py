"""The cookie of a session: where its secret is, and how a browser is to keep it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

PLAIN = "headgate_session"
"""Over http, which only a test on one's own machine should use."""
HOST_ONLY = "__Host-headgate_session"
"""Over https. The prefix makes browsers refuse it from any other host, and without `Secure`."""


def secret_of(request: Request) -> str:
    """The secret that the browser sent; empty for none."""
    given = request.cookies.get(HOST_ONLY)
    if given is None and request.scope["scheme"] != "https":
        given = request.cookies.get(PLAIN)
    return given or ""


def put(response: Response, request: Request, secret: str) -> None:
    """Have the browser keep the secret until it is closed; the server ends the session earlier."""
    secure = _is_https(request)
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


def _is_https(request: Request) -> bool:
    """Whether the browser speaks https. A proxy in front of us may end it, and browsers tell the
    origin of every form that they send."""
    return request.scope["scheme"] == "https" or request.headers.get("origin", "").startswith(
        "https:"
    )
