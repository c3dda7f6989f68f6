"""`/api/v1/test/acquirer`: how slow, faulty or away the simulated bank is for a merchant."""

from __future__ import annotations

import contextlib
from typing import Literal

from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.exchange import Exchange
from headgate.http.problems_of_access import LivemodeMismatch
from headgate.http.routing import json_answer
from headgate.http.unsure import stored_or_unsure
from headgate.http.validation import body_as
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables import acquirer_knobs
from headgate.tables.acquirer_knobs import DEFAULTS, Knobs
from headgate.tables.configuration import ApiKey, ConfigurationCopy
from headgate.tables.postgres import Postgres


class KnobsAnswer(Knobs):
    """How the simulated bank behaves for the merchant's test payments. What is null is as the
    gateway's settings say."""

    object: Literal["test_acquirer"] = "test_acquirer"
    livemode: Literal[False] = False


class SimulatedBank:
    """Every merchant has a bank of its own to torture; live payments never notice (08 R24)."""

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
        self._retry_after_s = settings.retry_after_s

    async def show(self, exchange: Exchange) -> Response:
        """What is set."""
        api_key = await self._key_of(exchange)
        return _answer(await acquirer_knobs.stored(self._postgres, api_key.merchant_id))

    async def put(self, exchange: Exchange) -> Response:
        """Set all of it; workers follow within a second."""
        api_key = await self._key_of(exchange)
        return await self._store(body_as(Knobs, exchange, api_key), api_key)

    async def reset(self, exchange: Exchange) -> Response:
        """Unset all of it."""
        return await self._store(DEFAULTS, await self._key_of(exchange))

    async def _key_of(self, exchange: Exchange) -> ApiKey:
        api_key = await self._authenticator.key_of(exchange, "test:write")
        if api_key.mode != "test":
            raise LivemodeMismatch(
                "The simulated bank has knobs in test mode only; this is a live key."
            )
        return api_key

    async def _store(self, knobs: Knobs, api_key: ApiKey) -> Response:
        with stored_or_unsure(self._retry_after_s):
            await acquirer_knobs.store(self._postgres, api_key.merchant_id, knobs, api_key.id)
        with contextlib.suppress(StoreUnavailable):  # It is stored; the copy follows in a second.
            await self._configuration.refresh()
        return _answer(knobs)


def _answer(knobs: Knobs) -> Response:
    return json_answer(KnobsAnswer(**knobs.model_dump()).model_dump(mode="json"))
