"""Scripts and styles of the checkout, as files beside this one; each is read once."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from starlette.responses import Response

from headgate.http.exchange import Exchange
from headgate.http.problems_of_requests import ResourceMissing
from headgate.streams.cards import quoted

JAVASCRIPT = "text/javascript"
SHOPS_CACHE = "public, max-age=3600"
"""What shops load by a name that does not change is asked for again within the hour."""
OURS_CACHE = "public, max-age=31536000, immutable"
"""What our pages load by a name with its hash never changes."""

FOR_SHOPS: Mapping[str, str] = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""Scripts that any page may load, and check by their hash (SRI)."""
OURS = {"pay.js": JAVASCRIPT, "card.js": JAVASCRIPT, "shop.js": JAVASCRIPT, "pay.css": "text/css"}
"""Files of our own pages."""


@cache
def content(name: str) -> bytes:
    """A static file, or several joined by `+`."""
    folder = files("headgate.http").joinpath("static")
    return b"".join(folder.joinpath(part).read_bytes() for part in name.split("+"))


def integrity(name: str) -> str:
    """The hash by which a shop's page can pin a script: `sha384-...`."""
    return "sha384-" + b64encode(hashlib.sha384(content(name)).digest()).decode()


def address(name: str) -> str:
    """Where our own pages load a file from; the hash makes it another one with every change."""
    return f"/checkout/static/{name}?v={_version(name)}"


def _version(name: str) -> str:
    return hashlib.sha256(content(name)).hexdigest()[:12]


class CheckoutAssets:
    """Nothing here is secret, and nobody is asked for a key."""

    async def headgate_js(self, exchange: Exchange) -> Response:
        """The loader."""
        return _shared(exchange, "headgate.js")

    async def checkout_js(self, exchange: Exchange) -> Response:
        """The seed's widget, with the loader before it."""
        return _shared(exchange, "headgate.js+checkout.js")

    async def react_js(self, exchange: Exchange) -> Response:
        """The React component."""
        return _shared(exchange, "headgate-react.js")

    async def react_types(self, exchange: Exchange) -> Response:
        """The types of the React component."""
        return _shared(exchange, "headgate-react.d.ts")

    async def own(self, exchange: Exchange) -> Response:
        """A file of our own pages."""
        name = exchange.path("name")
        if name not in OURS:
            raise ResourceMissing(f"There is no file {quoted(name)}.")
        if exchange.query().get("v") == _version(name):
            exchange.keep(OURS_CACHE)
        return Response(content(name), media_type=OURS[name])


def _shared(exchange: Exchange, name: str) -> Response:
    exchange.keep(SHOPS_CACHE)
    return Response(content(name), headers=FOR_SHOPS, media_type=JAVASCRIPT)
