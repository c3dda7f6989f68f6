"""`PUT /api/v1/webhooks/settings`: where a merchant's webhooks go, and their secret."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from asyncpg.pool import PoolConnectionProxy
from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.exchange import Exchange
from headgate.http.problems import Json
from headgate.http.problems_of_requests import ParameterMissing, UrlForbidden
from headgate.http.routing import json_answer
from headgate.http.schemas import SettingsRequest
from headgate.http.validation import body_as
from headgate.streams import ids
from headgate.streams.errors import StoreUnavailable, WebhookUrlForbidden
from headgate.streams.secrets import SecretBox, draw_webhook_secret, is_masked
from headgate.streams.settings import Settings
from headgate.streams.sinks import Sinks
from headgate.streams.targets import Target
from headgate.tables.configuration import ApiKey, ConfigurationCopy
from headgate.tables.merchants import SEED_EVENTS
from headgate.tables.postgres import Postgres, Row, statements

RESOLVE_WAIT_S = 2.0
"""How long the name in a URL may take to resolve. What does not resolve is checked when it is
connected to; a merchant may set a URL before its name exists."""

SHOWN_AGAIN_S = 300.0
"""For how long a repeat of the request that drew a secret shows it again: the first answer may
have been lost, and nobody else can tell the secret."""


@dataclass(frozen=True, slots=True)
class _Change:
    """What the default endpoint becomes."""

    endpoint_id: str
    url: str
    sealed_secret: str
    event_types: Sequence[str]
    drawn_secret: str | None
    said: dict[str, Json]
    """For the audit; never the secret itself."""


class WebhookSettings:
    """Changes the default endpoint: omitted means unchanged, so does a masked secret (08 R33)."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        postgres: Postgres,
        configuration: ConfigurationCopy,
        box: SecretBox,
    ) -> None:
        self._authenticator = authenticator
        self._postgres = postgres
        self._configuration = configuration
        self._box = box
        self._sinks = Sinks.of(settings)

    async def put(self, exchange: Exchange) -> Response:
        """Change URL, secret or both, in one transaction with the audit row."""
        api_key = await self._authenticator.key_of(exchange, "webhooks:write")
        asked = body_as(SettingsRequest, exchange, api_key)
        if asked.url is None and asked.secret is None:
            raise ParameterMissing("Send webhookUrl, webhookSecret or both.", param="webhookUrl")
        if asked.url is not None:
            await self._check_url(asked.url, livemode=api_key.mode == "live")
        change = await self._store(asked, api_key)
        with contextlib.suppress(StoreUnavailable):  # It is stored; the copy follows in a second.
            await self._configuration.refresh()
        answer: dict[str, Json] = {"success": True, "message": "Webhook settings updated"}
        if change.drawn_secret is not None:
            answer["webhook_secret"] = change.drawn_secret  # Shown to whoever made us draw it.
        return json_answer(answer)

    async def _check_url(self, url: str, *, livemode: bool) -> None:
        try:
            await self._check_resolved(self._sinks.check_url(url, livemode=livemode))
        except WebhookUrlForbidden as error:
            raise UrlForbidden(str(error), param="webhookUrl") from None

    async def _check_resolved(self, target: Target) -> None:
        """Refuse a name that leads to an address which webhooks must not go to. Every connection
        checks that again, since names change."""
        if target.address is not None:
            return
        try:
            async with asyncio.timeout(RESOLVE_WAIT_S):
                found = await asyncio.get_running_loop().getaddrinfo(target.host, target.port)
        except (OSError, TimeoutError, UnicodeError):
            return
        for *_, place in found:
            if self._sinks.why_not(str(place[0])):
                # Not which address, nor why: an answer that tells maps a network (04 §10.7).
                raise WebhookUrlForbidden(
                    f"Webhooks cannot be sent to {target.host}: it leads to an address that is "
                    "not public."
                )

    async def _store(self, asked: SettingsRequest, api_key: ApiKey) -> _Change:
        whose = (api_key.merchant_id, api_key.mode)
        async with self._postgres.connection() as connection, connection.transaction():
            # The bump locks the one row of configuration, so that changes come one by one.
            await connection.execute(statements()["bump_configuration"])
            row = await connection.fetchrow(statements()["edge_default_endpoint"], *whose)
            lately = await self._drawn_lately(connection, asked, api_key, row)
            change = self._change(asked, row, drawn_lately=lately)
            await connection.execute(
                statements()["set_default_endpoint"],
                change.endpoint_id,
                *whose,
                change.url,
                change.sealed_secret,
                list(change.event_types),
            )
            await connection.execute(
                statements()["audit"],
                api_key.id,
                "webhook.settings",
                change.endpoint_id,
                orjson.dumps(change.said).decode(),
            )
        return change

    async def _drawn_lately(
        self,
        connection: PoolConnectionProxy[Row],
        asked: SettingsRequest,
        api_key: ApiKey,
        row: Row | None,
    ) -> bool:
        """Whether this repeats the request that drew the secret."""
        if row is None or asked.secret is not None:
            return False
        whose = (row["id"], api_key.id, asked.url, SHOWN_AGAIN_S)
        return bool(await connection.fetch(statements()["edge_drawn_lately"], *whose))

    def _change(self, asked: SettingsRequest, row: Row | None, *, drawn_lately: bool) -> _Change:
        """What the endpoint becomes, given what it is."""
        secret = asked.secret
        if secret is not None and is_masked(secret):
            secret = None
        url = asked.url or (row["url"] if row else None)
        if url is None:
            raise ParameterMissing(
                "There is no webhook URL yet; send webhookUrl.", param="webhookUrl"
            )
        drawn = draw_webhook_secret() if row is None and secret is None else None
        new_secret = secret or drawn
        how = "drawn" if drawn else "changed" if new_secret else "unchanged"
        said: dict[str, Json] = {"url": url, "secret": how}
        return _Change(
            endpoint_id=row["id"] if row else ids.draw_id("whe_"),
            url=url,
            sealed_secret=self._box.seal(new_secret) if new_secret else _sealed(row),
            event_types=row["event_types"] if row else SEED_EVENTS,
            drawn_secret=self._box.open(_sealed(row)) if drawn_lately else drawn,
            said=said,
        )


def _sealed(row: Row | None) -> str:
    return str(row["sealed_secret"]) if row else ""
