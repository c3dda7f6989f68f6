"""`/api/v1/merchant`: the merchant that an API key belongs to."""

from __future__ import annotations

import contextlib

from starlette.responses import Response

from headgate.http.api_keys import told
from headgate.http.auth import Authenticator
from headgate.http.exchange import Exchange
from headgate.http.key_schemas import DemoMerchantAnswer, MerchantAnswer, MerchantRequest
from headgate.http.problems_of_requests import ParameterMissing, ResourceMissing
from headgate.http.routing import json_answer
from headgate.http.unsure import stored_or_unsure
from headgate.http.validation import body_as
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables import merchants
from headgate.tables.configuration import ApiKey, ConfigurationCopy
from headgate.tables.merchants import DEMO_EMAIL, DEMO_KEY, StoredMerchant, demo_allowed
from headgate.tables.postgres import Postgres


class MerchantResource:
    """A merchant reads and changes itself; being active is its operator's to say."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        postgres: Postgres,
        configuration: ConfigurationCopy,
    ) -> None:
        self._authenticator = authenticator
        self._postgres = postgres
        self._configuration = configuration
        self._demo_allowed = demo_allowed(settings)
        self._retry_after_s = settings.retry_after_s

    async def show(self, exchange: Exchange) -> Response:
        """The merchant."""
        api_key = await self._authenticator.key_of(exchange, "keys:read")
        found = await merchants.find(self._postgres, api_key.merchant_id)
        return _answer(found, api_key)

    async def change(self, exchange: Exchange) -> Response:
        """Change what is given, in one transaction with its audit row."""
        api_key = await self._authenticator.key_of(exchange, "keys:write")
        asked = body_as(MerchantRequest, exchange, api_key)
        given = asked.model_dump(exclude_none=True)
        if not given:
            raise ParameterMissing(
                "Send name, require_keys, checkout_origins or several of them.", param="name"
            )
        with stored_or_unsure(self._retry_after_s):
            changed = await merchants.change(
                self._postgres, api_key.merchant_id, api_key.id, **given
            )
        with contextlib.suppress(StoreUnavailable):  # It is stored; the copy follows in a second.
            await self._configuration.refresh()
        return _answer(changed, api_key)

    async def demo(self, exchange: Exchange) -> Response:
        """The seed's demo merchant and its publishable key, where that pair exists at all."""
        del exchange
        key = self._configuration.now.keys.get(DEMO_KEY)
        if key is None or not self._demo_allowed:
            raise ResourceMissing(
                "There is no demo merchant here; `headgate merchant create` makes another."
            )
        demo = DemoMerchantAnswer(id=key.merchant_id, email=DEMO_EMAIL, api_key=key.id)
        return json_answer(demo.model_dump())


def _answer(merchant: StoredMerchant | None, api_key: ApiKey) -> Response:
    if merchant is None:  # Merchants are never deleted, but a database may be restored.
        raise ResourceMissing("There is no merchant of this API key any more.")
    answer = MerchantAnswer(
        id=merchant.id,
        name=merchant.name,
        email=merchant.email,
        livemode=api_key.mode == "live",
        require_keys=merchant.require_keys,
        active=merchant.active,
        checkout_origins=list(merchant.checkout_origins),
        created_at=told(merchant.created_at),
    )
    return json_answer(answer.model_dump())
