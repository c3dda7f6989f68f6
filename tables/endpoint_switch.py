"""The switch of an endpoint: whoever turns it tells the merchant's other endpoints with it."""

from __future__ import annotations

from headgate.streams.clock import now_ms
from headgate.streams.operational_events import EndpointNamed, endpoint_disabled, endpoint_enabled
from headgate.tables.endpoint import DisabledReason, StoredEndpoint
from headgate.tables.endpoint_health_store import forgive
from headgate.tables.merchants import Connection
from headgate.tables.postgres import statements
from headgate.tables.webhook_events import note


async def switch_off(
    connection: Connection, endpoint: StoredEndpoint, reason: DisabledReason
) -> None:
    """Disable an endpoint, or give one that is disabled another reason, in the caller's
    transaction; `endpoint` is as it was before."""
    await connection.execute(statements()["disable_endpoint"], endpoint.id, reason)
    if endpoint.enabled:
        named = _named(endpoint)
        await note(connection, [endpoint_disabled(named, endpoint.mode, reason, now_ms())])


async def switch_on(connection: Connection, endpoint: StoredEndpoint) -> None:
    """Enable an endpoint, with no failure held against it, in the caller's transaction; `endpoint`
    is as it was before."""
    await connection.execute(statements()["enable_endpoint"], endpoint.id)
    await forgive(connection, endpoint.id)
    if not endpoint.enabled:
        await note(connection, [endpoint_enabled(_named(endpoint), endpoint.mode, now_ms())])


def _named(endpoint: StoredEndpoint) -> EndpointNamed:
    return EndpointNamed(id=endpoint.id, merchant_id=endpoint.merchant_id)
