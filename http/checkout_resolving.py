"""Test mode's short cuts: the seed's widget knows only a key and an order, and its demo shop sells
one thing (08 R25). Live sessions are opened by their client secret alone."""

from __future__ import annotations

import hmac
import secrets

from starlette.responses import Response

from headgate.http.body import check_media_type, parse_object
from headgate.http.checkout_access import CheckoutAccess
from headgate.http.checkout_origins import publishable
from headgate.http.checkout_schemas import CheckoutRequest, ResolvedAnswer, ResolveRequest
from headgate.http.checkout_sessions import CheckoutSessions
from headgate.http.exchange import Exchange
from headgate.http.problems_of_access import LivemodeMismatch
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.routing import json_answer
from headgate.http.validation import validated
from headgate.streams import ids
from headgate.streams.settings import Settings
from headgate.tables import checkout
from headgate.tables.checkout import StoredSession
from headgate.tables.configuration import ApiKey
from headgate.tables.merchants import DEMO_KEY, demo_allowed, hash_secret

DEMO_AMOUNT = 50_000
"""Rs 500, what the seed's checkout page takes."""


class CheckoutResolving:
    """Opens test sessions for those who bring no client secret."""

    def __init__(
        self, settings: Settings, access: CheckoutAccess, sessions: CheckoutSessions
    ) -> None:
        self._access = access
        self._sessions = sessions
        self._demo_allowed = demo_allowed(settings)

    async def resolve(self, exchange: Exchange) -> Response:
        """The session that the merchant's server made last for this order."""
        check_media_type(exchange.headers)
        asked = validated(ResolveRequest, parse_object(exchange.body), strict=False)
        key = publishable(self._access.configuration.now, asked.key)
        if key is not None and key.mode != "test":
            raise LivemodeMismatch("In live mode a session is opened by its client secret only.")
        found = None
        if key is not None:
            self._access.limits.count(exchange, key)
            whose = (key.merchant_id, key.mode)
            found = await checkout.of_order(self._access.postgres, whose, asked.order_id)
        if key is None or found is None:
            self._access.limits.count_wrong_key(exchange)
            raise ResourceMissing(
                "There is no checkout session of this key and order that may still be paid. The "
                "merchant's server makes one with POST /api/v1/checkout/sessions."
            )
        return self._opened(found, key)

    async def demo(self, exchange: Exchange) -> Response:
        """What the demo shop's server does when somebody goes to its till."""
        key = self._access.configuration.now.keys.get(DEMO_KEY)
        if key is None or not self._demo_allowed:
            raise no_demo()
        self._access.limits.count(exchange, key)
        asked = CheckoutRequest(amount=DEMO_AMOUNT, order_id=f"demo_{secrets.token_hex(6)}")
        session, _ = await self._sessions.made(asked, key, ids.draw_key())
        return self._opened(session, key)

    def _opened(self, session: StoredSession, key: ApiKey) -> Response:
        secret = self._access.secrets.of(session.id)
        if not hmac.compare_digest(hash_secret(secret), session.secret_hash):
            # Made under another HEADGATE_SECRET_KEY: only who was shown its secret has it.
            raise ResourceMissing("This session can be opened by its client secret only.")
        answer = ResolvedAnswer(
            id=session.id, key=key.id, order_id=session.order_id, client_secret=secret
        )
        return json_answer(answer.model_dump_json().encode())


def no_demo() -> ResourceMissing:
    """There is a demo shop on one's own machine only."""
    return ResourceMissing(
        "There is no demo shop here: it needs test mode, on one's own machine (`headgate up`)."
    )
