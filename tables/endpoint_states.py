"""Endpoints put on hold and enabled again, by their merchant, by notify, or by their receiver."""

from __future__ import annotations

from datetime import datetime

from headgate.tables.api_keys import check_actor
from headgate.tables.endpoint import (
    DisabledReason,
    EndpointUnverified,
    Owner,
    StoredEndpoint,
    Verdict,
)
from headgate.tables.endpoint_switch import switch_off, switch_on
from headgate.tables.endpoints import alive, find, heed, of_connection
from headgate.tables.merchants import audit, changing
from headgate.tables.postgres import Postgres


async def disable(
    postgres: Postgres,
    endpoint_id: str,
    reason: DisabledReason,
    actor: str,
    *,
    url: str | None = None,
) -> bool:
    """Put an endpoint on hold; whether it was enabled. With a `url` only while that is the URL:
    who was told 410 by the old place must not disable the new one. Raises StoreUnavailable."""
    endpoint = await find(postgres, endpoint_id)
    if endpoint is None or not _concerns(endpoint, url):
        return False
    async with changing(postgres) as connection:
        endpoint = await of_connection(connection, endpoint_id)
        if not _concerns(endpoint, url):
            return False
        await switch_off(connection, endpoint, reason)
        said = {"reason": reason, "url": endpoint.url}
        await audit(connection, actor, "webhook_endpoint.disable", endpoint_id, said)
        return True


def _concerns(endpoint: StoredEndpoint, url: str | None) -> bool:
    return endpoint.status == "enabled" and url in (None, endpoint.url)


async def hold(
    postgres: Postgres, endpoint_id: str, actor: str, whose: Owner
) -> tuple[StoredEndpoint, bool]:
    """Disable an endpoint for its merchant, and whether it was enabled until now. What was disabled
    for another reason stays disabled, from now on because its merchant wants it.

    Raises ActorNotActive, EndpointUnknown or EndpointDeleted.
    """
    async with changing(postgres) as connection:
        await check_actor(connection, actor)
        endpoint = await alive(connection, endpoint_id, whose)
        if endpoint.disabled_reason not in ("merchant", "unverified"):
            await switch_off(connection, endpoint, "merchant")
            said = {"reason": "merchant", "was": endpoint.status}
            await audit(connection, actor, "webhook_endpoint.disable", endpoint_id, said)
        return await of_connection(connection, endpoint_id), endpoint.enabled


async def enable(
    postgres: Postgres, endpoint_id: str, actor: str, whose: Owner
) -> tuple[StoredEndpoint, datetime | None]:
    """Enable an endpoint, and since when it was disabled; None when it was not.

    Raises ActorNotActive, EndpointUnknown, EndpointDeleted or EndpointUnverified.
    """
    async with changing(postgres) as connection:
        await check_actor(connection, actor)
        endpoint = await alive(connection, endpoint_id, whose)
        if not endpoint.enabled and not endpoint.may_be_enabled:
            raise EndpointUnverified(
                f"The receiver of {endpoint_id} has not agreed to live webhooks; verify it first."
            )
        if not endpoint.enabled:
            await switch_on(connection, endpoint)
            said = {"was": endpoint.disabled_reason, "url": endpoint.url}
            await audit(connection, actor, "webhook_endpoint.enable", endpoint_id, said)
        return await of_connection(connection, endpoint_id), endpoint.disabled_at


async def judge(
    postgres: Postgres, asked: StoredEndpoint, verdict: Verdict, actor: str
) -> StoredEndpoint:
    """Store what an endpoint's receiver said when it was asked. It is for the URL that was asked:
    where that changed meanwhile, nothing is stored.

    Raises ActorNotActive, EndpointUnknown or EndpointDeleted.
    """
    async with changing(postgres) as connection:
        await check_actor(connection, actor)
        endpoint = await alive(connection, asked.id, (asked.merchant_id, asked.mode))
        if endpoint.url == asked.url:
            await heed(connection, endpoint, verdict, new_url=False)
            said = {"url": endpoint.url, "agreed": verdict.error is None}
            await audit(connection, actor, "webhook_endpoint.verify", endpoint.id, said)
        return await of_connection(connection, endpoint.id)
