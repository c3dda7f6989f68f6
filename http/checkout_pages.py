"""The pages of the checkout: hosted, in a merchant's frame, and the demo shop (06 §5.5)."""

from __future__ import annotations

import secrets
from functools import cache
from importlib.resources import files

import jinja2
from starlette.responses import Response

from headgate.http.checkout_assets import address
from headgate.http.checkout_origins import ancestors, policy
from headgate.http.checkout_resolving import no_demo
from headgate.http.checkout_sessions import SESSION_ID
from headgate.http.exchange import Exchange
from headgate.http.problems_of_requests import ResourceMissing
from headgate.streams.cards import quoted
from headgate.streams.settings import Settings
from headgate.tables.configuration import ConfigurationCopy
from headgate.tables.merchants import DEMO_KEY, demo_allowed

NONCE_BYTES = 16
NOBODY = ("'none'",)
OWN_FRAMES = "; frame-src 'self'"
"""What the demo shop's policy allows besides: the widget's frame is of the same origin."""


class CheckoutPages:
    """Pages hold nothing of a session: their script asks for it, with the secret behind the `#`,
    which no browser sends to a server."""

    def __init__(self, settings: Settings, configuration: ConfigurationCopy) -> None:
        self._configuration = configuration
        self._demo_allowed = demo_allowed(settings)

    async def hosted(self, exchange: Exchange) -> Response:
        """The page that a shop leads its customer to; nobody may frame it."""
        session_id = exchange.path("session")
        if not SESSION_ID.fullmatch(session_id):
            raise ResourceMissing(f"There is no checkout session {quoted(session_id)}.")
        nonce = _nonce()
        return _page("checkout_pay.html", nonce, policy(nonce, NOBODY), "pay.js", framed=False)

    async def embed(self, exchange: Exchange) -> Response:
        """The same in a frame, for the shops of the publishable key's merchant only."""
        sources = ancestors(self._configuration.now, exchange.query().get("pk", ""))
        nonce = _nonce()
        return _page("checkout_pay.html", nonce, policy(nonce, sources), "pay.js", framed=True)

    async def shop(self, exchange: Exchange) -> Response:
        """The demo shop, where there is one."""
        del exchange
        if DEMO_KEY not in self._configuration.now.keys or not self._demo_allowed:
            raise no_demo()
        nonce = _nonce()
        rule = policy(nonce, NOBODY) + OWN_FRAMES
        return _page("checkout_shop.html", nonce, rule, "shop.js", framed=False)


def _nonce() -> str:
    return secrets.token_urlsafe(NONCE_BYTES)


def _page(name: str, nonce: str, rule: str, script: str, *, framed: bool) -> Response:
    text = _template(name).render(
        nonce=nonce, framed=framed, css=address("pay.css"), js=address(script)
    )
    headers = {
        "Content-Security-Policy": rule,
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    }
    return Response(text, headers=headers, media_type="text/html")


@cache
def _template(name: str) -> jinja2.Template:
    text = files("headgate.http").joinpath("templates").joinpath(name).read_text()
    return jinja2.Environment(autoescape=True).from_string(text)
