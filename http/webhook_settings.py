"""`PUT /api/v1/webhooks/settings`: where a merchant's webhooks go, and their secret."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.exchange import Exchange
from headgate.http.problems import Json
from headgate.http.problems_of_requests import ParameterMissing
from headgate.http.routing import json_answer
from headgate.http.schemas import SettingsRequest
from headgate.http.validation import body_as
from headgate.http.webhook_targets import TargetCheck
from headgate.http.webhook_verification import Verifier
from headgate.streams import ids
from headgate.streams.errors import StoreUnavailable
from headgate.streams.secrets import SecretBox, draw_webhook_secret, is_masked
from headgate.streams.settings import Settings
from headgate.tables import endpoints
from headgate.tables.configuration import ApiKey, ConfigurationCopy
from headgate.tables.endpoint import Verdict
from headgate.tables.endpoint_switch import switch_on
from headgate.tables.merchants import SEED_EVENTS, Connection
from headgate.tables.postgres import Postgres, Row, statements

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


@dataclass(frozen=True, slots=True)
class _Consent:
    """What the receiver at a URL said."""

    url: str
    verdict: Verdict


class WebhookSettings:
    """Changes the default endpoint: omitted means unchanged, so does a masked secret (08 R33)."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        postgres: Postgres,
        configuration: ConfigurationCopy,
        box: SecretBox,
        verifier: Verifier,
    ) -> None:
        self._authenticator = authenticator
        self._postgres = postgres
        self._configuration = configuration
        self._box = box
        self._verifier = verifier
        self._targets = TargetCheck(settings)

    async def put(self, exchange: Exchange) -> Response:
        """Change URL, secret or both, in one transaction with the audit row."""
        api_key = await self._authenticator.key_of(exchange, "webhooks:write")
        asked = body_as(SettingsRequest, exchange, api_key)
        if asked.url is None and asked.secret is None:
            raise ParameterMissing("Send webhookUrl, webhookSecret or both.", param="webhookUrl")
        if asked.url is not None:
            livemode = api_key.mode == "live"
            await self._targets.check(asked.url, livemode=livemode, param="webhookUrl")
        consent = await self._consent(asked, api_key) if api_key.mode == "live" else None
        change = await self._store(asked, api_key, consent)
        with contextlib.suppress(StoreUnavailable):  # It is stored; the copy follows in a second.
            await self._configuration.refresh()
        answer: dict[str, Json] = {"success": True, "message": "Webhook settings updated"}
        if change.drawn_secret is not None:
            answer["webhook_secret"] = change.drawn_secret  # Shown to whoever made us draw it.
        if consent is not None and consent.verdict.error is not None:
            answer["verification_error"] = consent.verdict.error
        return json_answer(answer)

    async def _consent(self, asked: SettingsRequest, api_key: ApiKey) -> _Consent | None:
        """What the receiver of live webhooks says, unless it has agreed to this URL before."""
        whose = (api_key.merchant_id, api_key.mode)
        row = await self._postgres.fetch_row("edge_default_endpoint", *whose)
        url = asked.url or (row["url"] if row else None)
        agreed = row is not None and row["url"] == url and row["verified_at"] is not None
        if url is None or agreed:
            return None
        return _Consent(url, await self._verifier.ask(url, None, whose))

    async def _store(
        self, asked: SettingsRequest, api_key: ApiKey, consent: _Consent | None
    ) -> _Change:
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
            if api_key.mode == "live":
                await _heed(connection, change, row, consent)
            await _enable(connection, change.endpoint_id)
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
        connection: Connection,
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


async def _heed(
    connection: Connection, change: _Change, row: Row | None, consent: _Consent | None
) -> None:
    """Live webhooks go only where the receiver has agreed, to this URL and no other: it may have
    been changed while the receiver was asked."""
    new_url = row is None or row["url"] != change.url
    if row is not None and not new_url and row["verified_at"] is not None:
        return
    asked = consent is not None and consent.url == change.url
    verdict = consent.verdict if consent and asked else endpoints.UNASKED
    endpoint = await endpoints.of_connection(connection, change.endpoint_id)
    await endpoints.heed(connection, endpoint, verdict, new_url=new_url)


async def _enable(connection: Connection, endpoint_id: str) -> None:
    """The seed's settings send webhooks from then on, whatever was before."""
    endpoint = await endpoints.of_connection(connection, endpoint_id)
    if not endpoint.enabled and endpoint.may_be_enabled:
        await switch_on(connection, endpoint)


def _sealed(row: Row | None) -> str:
    return str(row["sealed_secret"]) if row else ""
