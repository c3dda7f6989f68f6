"""`/api/v1/checkout/sessions`: a merchant's server fixes what its customer will pay."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import orjson
from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.checkout_answers import to_merchant
from headgate.http.checkout_schemas import CheckoutRequest
from headgate.http.checkout_standings import Standings
from headgate.http.exchange import Exchange
from headgate.http.problems_of_requests import KeyReused, ParameterInvalid, ResourceMissing
from headgate.http.problems_of_services import OutcomeUnknown
from headgate.http.routing import json_answer
from headgate.http.submission import said
from headgate.http.unsure import stored_or_unsure
from headgate.http.validation import body_as
from headgate.streams import ids
from headgate.streams.cards import quoted
from headgate.streams.secrets import CheckoutSecrets
from headgate.streams.settings import Settings
from headgate.tables import checkout
from headgate.tables.api_keys import SHOWN_AGAIN_S
from headgate.tables.checkout import SessionDrawn, SessionWanted, StoredSession
from headgate.tables.configuration import ApiKey
from headgate.tables.merchants import hash_secret
from headgate.tables.postgres import Postgres

SESSION_ID = re.compile(r"cs_[a-z2-7]{26}")


class CheckoutSessions:
    """Sessions are made and looked up; nothing changes them."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        postgres: Postgres,
        standings: Standings,
    ) -> None:
        self._authenticator = authenticator
        self._postgres = postgres
        self._standings = standings
        self._secrets = CheckoutSecrets(settings.secret_key)
        self._lives_s = settings.checkout_session_s
        self._kept_days = settings.checkout_session_days
        self._public_url = settings.public_url
        self._retry_after_s = settings.retry_after_s

    async def create(self, exchange: Exchange) -> Response:
        """Make a session. Its client secret is shown now, and to repeats for a while."""
        api_key = await self._authenticator.key_of(exchange, "payments:write")
        asked = body_as(CheckoutRequest, exchange, api_key)
        _check_urls(asked, api_key)
        key = exchange.idempotency_key() or ids.draw_key()
        session, made = await self.made(asked, api_key, key)
        headers = {"Idempotency-Key": key}
        if not made:
            headers["Idempotent-Replayed"] = "true"
        age_s = (session.read_at - session.created_at).total_seconds()
        secret = self._secrets.of(session.id) if made or age_s < SHOWN_AGAIN_S else None
        return await self._answer(exchange, session, secret, 201, headers)

    async def made(
        self, asked: CheckoutRequest, api_key: ApiKey, key: str
    ) -> tuple[StoredSession, bool]:
        """The session of this request, and whether it is new. Raises KeyReused, OutcomeUnknown."""
        whose = (api_key.merchant_id, api_key.mode)
        session_id = ids.checkout_session_id(*whose, key)
        drawn = SessionDrawn(
            session_id=session_id,
            secret_hash=hash_secret(self._secrets.of(session_id)),
            actor=api_key.id,
            request=_print_of(asked),
            lives_s=self._lives_s,
            kept_days=self._kept_days,
        )
        with stored_or_unsure(self._retry_after_s, key):
            session, made = await checkout.create(self._postgres, _wanted(asked, api_key), drawn)
        if session is None:
            raise OutcomeUnknown(
                "The session may or may not be made. Repeat the request with this key.",
                retry_after_s=self._retry_after_s,
                headers={"Idempotency-Key": key},
            )
        if session.request != drawn.request:
            raise KeyReused(
                "This Idempotency-Key made a session for another request.", param="Idempotency-Key"
            )
        return session, made

    async def show(self, exchange: Exchange) -> Response:
        """One session, without its secret."""
        api_key = await self._authenticator.key_of(exchange, "payments:read")
        session_id = exchange.path("id")
        found = None
        if SESSION_ID.fullmatch(session_id):
            whose = (api_key.merchant_id, api_key.mode)
            found = await checkout.find(self._postgres, session_id, whose)
        if found is None:
            raise ResourceMissing(f"There is no checkout session {quoted(session_id)}.")
        return await self._answer(exchange, found, None, 200, {})

    async def _answer(
        self,
        exchange: Exchange,
        session: StoredSession,
        secret: str | None,
        status: int,
        headers: Mapping[str, str],
    ) -> Response:
        standing = await self._standings.of(session)
        base_url = self._public_url or exchange.origin
        answer = to_merchant(session, standing, secret, base_url)
        return json_answer(answer.model_dump_json().encode(), status, headers)


def _wanted(asked: CheckoutRequest, api_key: ApiKey) -> SessionWanted:
    return SessionWanted(
        merchant_id=api_key.merchant_id,
        mode=api_key.mode,
        order_id=asked.order_id,
        amount=asked.amount,
        currency=asked.currency,
        methods=list(dict.fromkeys(asked.methods)),
        success_url=asked.success_url,
        cancel_url=asked.cancel_url,
    )


def _check_urls(asked: CheckoutRequest, api_key: ApiKey) -> None:
    for name in ("success_url", "cancel_url"):
        url: str = getattr(asked, name) or ""
        if api_key.mode == "live" and url.startswith("http:"):
            raise ParameterInvalid(f"{name} must begin with https:// in live mode.", param=name)


def _print_of(asked: CheckoutRequest) -> str:
    return hashlib.sha256(orjson.dumps(said(asked), option=orjson.OPT_SORT_KEYS)).hexdigest()
