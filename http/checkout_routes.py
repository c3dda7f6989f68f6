"""The routes of the checkout."""

from __future__ import annotations

from starlette.routing import Route

from headgate.http.checkout_access import CheckoutAccess
from headgate.http.checkout_assets import CheckoutAssets
from headgate.http.checkout_pages import CheckoutPages
from headgate.http.checkout_paying import CheckoutPaying
from headgate.http.checkout_resolving import CheckoutResolving
from headgate.http.checkout_sessions import CheckoutSessions
from headgate.http.checkout_standings import Standings
from headgate.http.openapi_operation import API
from headgate.http.routing import at
from headgate.http.services import Services

CHECKOUT = f"{API}/checkout"


def checkout_routes(services: Services) -> list[Route]:
    """Those for the merchant's server, and those for the customer's browser."""
    settings, postgres = services.settings, services.postgres
    standings = Standings(settings, postgres, services.decisions, services.finder)
    access = CheckoutAccess(
        settings, postgres, services.configuration, services.authenticator.limits
    )
    sessions = CheckoutSessions(settings, services.authenticator, postgres, standings)
    paying = CheckoutPaying(settings, access, standings, services.creator, services.acceptance)
    resolving = CheckoutResolving(settings, access, sessions)
    pages = CheckoutPages(settings, services.configuration)
    return [
        at(f"{CHECKOUT}/sessions", POST=sessions.create),
        at(f"{CHECKOUT}/sessions/{{id}}", GET=sessions.show),
        at(f"{CHECKOUT}/confirm", POST=paying.confirm),
        at(f"{CHECKOUT}/state", GET=paying.state),
        at(f"{CHECKOUT}/authenticate", POST=paying.authenticate),
        at(f"{CHECKOUT}/resolve", POST=resolving.resolve),
        at("/checkout/demo", POST=resolving.demo),
        at("/checkout", GET=pages.shop),
        at("/checkout/embed", GET=pages.embed),
        at("/checkout/pay/{session}", GET=pages.hosted),
        *_scripts(),
    ]


def _scripts() -> list[Route]:
    assets = CheckoutAssets()
    return [
        at("/headgate.js", GET=assets.headgate_js),
        at("/v1/headgate.js", GET=assets.headgate_js),
        at("/checkout.js", GET=assets.checkout_js),
        at("/headgate-react.js", GET=assets.react_js),
        at("/headgate-react.d.ts", GET=assets.react_types),
        at("/checkout/static/{name}", GET=assets.own),
    ]
