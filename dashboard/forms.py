"""Forms: read within a limit, and believed only with the session's token."""

from __future__ import annotations

import asyncio
import hmac
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from headgate.dashboard.viewer import Viewer

FORM_BYTES_MAX = 64 << 10
FORM_WAIT_S = 10.0
"""How long a form may take to arrive, however slowly it comes."""
FIELDS_MAX = 1000
SAME_SITE = ("same-origin", "none")
"""What `Sec-Fetch-Site` says of our own forms, and of addresses that a person typed."""


class FormRefused(Exception):
    """The form was not ours, or too large. The message is for the person."""

    status = 403


class FormLate(FormRefused):
    """The form did not arrive in time."""

    status = 408


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form; of a name that comes twice the last one. Raises FormRefused."""
    try:
        async with asyncio.timeout(FORM_WAIT_S):
            body = await _body(request)
    except TimeoutError:
        raise FormLate(
            f"The form did not arrive within {FORM_WAIT_S:.0f} s. Send it again."
        ) from None
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        raise FormRefused("The form cannot be read.") from None


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            raise FormRefused(f"The form is longer than {FORM_BYTES_MAX} bytes.")
    return body


def check_origin(request: Request) -> None:
    """Raises FormRefused when another site's page sent this (Fetch Metadata, else `Origin`; OWASP
    CSRF). What tells neither passes: every browser that can show these pages names the origin of a
    POST, so it is no browser that somebody's page misleads. This is a second lock. The first is the
    session's token (`check_token`), a synchroniser token that no other site can read (ADR 0034)."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        ours = site in SAME_SITE
    else:
        ours = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not ours:
        raise FormRefused("Another site sent this form, so nothing was done.")


def check_token(form: dict[str, str], viewer: Viewer) -> None:
    """Raises FormRefused when the form does not carry the session's token."""
    if not hmac.compare_digest(form.get("csrf", "").encode(), viewer.csrf.encode()):
        raise FormRefused("This form is from an older session. Go back, reload, and try again.")
