"""Webhook endpoints: made, changed, deleted; one transaction each, with its audit row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from headgate.streams.cards import quoted
from headgate.tables.api_keys import check_actor
from headgate.tables.endpoint import (
    SEALED,
    WANTED,
    Drawn,
    EndpointDeleted,
    EndpointRequestDiffers,
    EndpointUnknown,
    EndpointWanted,
    Owner,
    StoredEndpoint,
    TooManyEndpoints,
    Verdict,
    stored_endpoint,
)
from headgate.tables.endpoint_health_store import forgive
from headgate.tables.endpoint_switch import switch_off, switch_on
from headgate.tables.merchants import Connection, audit, changing
from headgate.tables.postgres import Postgres, statements

MADE_A_DAY_MAX = 200
"""Endpoints that a merchant may make in one mode within a day, deleted ones included: each leaves a
tombstone, and may send a request to somebody who has not asked for it."""
UNASKED = Verdict("the receiver was not asked yet")
"""What holds in live mode until there is another verdict."""


async def find(
    postgres: Postgres, endpoint_id: str, whose: Owner | None = None
) -> StoredEndpoint | None:
    """The endpoint with this id, of this merchant and mode if these are given; deleted ones too."""
    row = await postgres.fetch_row("stored_endpoint", endpoint_id, *(whose or (None, None)))
    return stored_endpoint(row) if row else None


async def listed(
    postgres: Postgres, whose: Owner, limit: int, after: str | None = None
) -> Sequence[StoredEndpoint]:
    """The merchant's endpoints, newest first; `after` is the last one of the page before."""
    rows = await postgres.fetch("stored_endpoints", *whose, limit, after)
    return [stored_endpoint(row) for row in rows]


async def of_connection(
    connection: Connection, endpoint_id: str, whose: Owner | None = None
) -> StoredEndpoint:
    """The endpoint within a transaction. Raises EndpointUnknown."""
    owner = whose or (None, None)
    row = await connection.fetchrow(statements()["stored_endpoint"], endpoint_id, *owner)
    if row is None:
        raise EndpointUnknown(f"There is no webhook endpoint {quoted(endpoint_id)}.")
    return stored_endpoint(row)


async def alive(
    connection: Connection, endpoint_id: str, whose: Owner | None = None
) -> StoredEndpoint:
    """The endpoint, to be changed. Raises EndpointUnknown or EndpointDeleted."""
    endpoint = await of_connection(connection, endpoint_id, whose)
    if endpoint.deleted_at is not None:
        raise EndpointDeleted(f"The webhook endpoint {endpoint_id} was deleted.")
    return endpoint


async def create(
    postgres: Postgres,
    whose: Owner,
    wanted: EndpointWanted,
    drawn: Drawn,
    most: int,
    verdict: Verdict | None = None,
) -> tuple[StoredEndpoint, bool]:
    """Make an endpoint, or find the one that the same request made before; and which of the two it
    was. With a verdict that is a no it begins disabled.

    Raises ActorNotActive, EndpointRequestDiffers or TooManyEndpoints.
    """
    async with changing(postgres) as connection:
        await check_actor(connection, drawn.actor)
        row = await connection.fetchrow(statements()["stored_endpoint"], drawn.endpoint_id, *whose)
        if row is not None:
            return same_request(stored_endpoint(row), drawn.request), True
        await _check_room(connection, whose, most)
        await insert(connection, whose, wanted, drawn)
        made = await of_connection(connection, drawn.endpoint_id)
        await _heed_new_url(connection, made, verdict, new_url=True)
        return await of_connection(connection, drawn.endpoint_id), False


def same_request(endpoint: StoredEndpoint, request: str) -> StoredEndpoint:
    """The endpoint, if this request made it. Raises EndpointRequestDiffers."""
    if endpoint.request != request:
        raise EndpointRequestDiffers("This Idempotency-Key made an endpoint for another request.")
    return endpoint


async def insert(
    connection: Connection,
    whose: Owner,
    wanted: EndpointWanted,
    drawn: Drawn,
    *,
    is_default: bool = False,
    action: str = "webhook_endpoint.create",
) -> None:
    """Write a new endpoint and its audit row."""
    first = (drawn.endpoint_id, *whose, is_default, drawn.sealed_secret, drawn.request)
    await connection.execute(statements()["create_endpoint"], *first, *_columns(wanted))
    said = {"merchant_id": whose[0], "mode": whose[1], **_told(wanted, WANTED)}
    await audit(connection, drawn.actor, action, drawn.endpoint_id, said)


async def _check_room(connection: Connection, whose: Owner, most: int) -> None:
    [counted] = await connection.fetch(statements()["endpoints_counted"], *whose)
    if counted["alive"] >= most:
        raise TooManyEndpoints(
            f"There are {most} {whose[1]} endpoints, as many as there may be; delete one first."
        )
    if counted["made_lately"] >= MADE_A_DAY_MAX:
        raise TooManyEndpoints(
            f"{MADE_A_DAY_MAX} {whose[1]} endpoints were made within a day; try again tomorrow, or "
            "change one that there is."
        )


async def change(
    postgres: Postgres,
    endpoint_id: str,
    actor: str,
    whose: Owner,
    changed: Callable[[EndpointWanted], EndpointWanted],
    verdict: Verdict | None = None,
) -> StoredEndpoint:
    """Make an endpoint what `changed` makes of it, which must be pure; nothing is written when
    that is the same. The verdict is that of a new URL's receiver.

    Raises ActorNotActive, EndpointUnknown or EndpointDeleted.
    """
    async with changing(postgres) as connection:
        await check_actor(connection, actor)
        endpoint = await alive(connection, endpoint_id, whose)
        wanted = changed(endpoint.wanted)
        columns, before = _columns(wanted), _columns(endpoint.wanted)
        names = [name for name, new, old in zip(WANTED, columns, before, strict=True) if new != old]
        if names:
            await connection.execute(statements()["change_endpoint"], endpoint_id, *columns)
            said = _told(wanted, names)
            await audit(connection, actor, "webhook_endpoint.change", endpoint_id, said)
        if "url" in names:
            await forgive(connection, endpoint_id)
        await _heed_new_url(connection, endpoint, verdict, new_url="url" in names)
        return await of_connection(connection, endpoint_id)


async def _heed_new_url(
    connection: Connection, endpoint: StoredEndpoint, verdict: Verdict | None, *, new_url: bool
) -> None:
    if new_url and (verdict is not None or endpoint.mode == "live"):
        await heed(connection, endpoint, verdict or UNASKED, new_url=True)


async def heed(
    connection: Connection, endpoint: StoredEndpoint, verdict: Verdict, *, new_url: bool
) -> None:
    """Store what the receiver said. A live endpoint whose receiver has not agreed is disabled; one
    that was disabled for that is enabled again."""
    said = (verdict.error, verdict.allowed_per_min, new_url)
    await connection.execute(statements()["verdict_on_endpoint"], endpoint.id, *said)
    agreed_before = endpoint.verified_at is not None and not new_url
    if verdict.error is None:
        if endpoint.disabled_reason == "unverified":
            await switch_on(connection, endpoint)
    elif endpoint.enabled and endpoint.mode == "live" and not agreed_before:
        await switch_off(connection, endpoint, "unverified")


async def delete(postgres: Postgres, endpoint_id: str, actor: str, whose: Owner) -> StoredEndpoint:
    """Delete an endpoint; one that is deleted stays so. Raises ActorNotActive, EndpointUnknown."""
    async with changing(postgres) as connection:
        await check_actor(connection, actor)
        endpoint = await of_connection(connection, endpoint_id, whose)
        if endpoint.deleted_at is None:
            await connection.execute(statements()["delete_endpoint"], endpoint_id)
            await forgive(connection, endpoint_id)
            said = {"url": endpoint.url, "was": endpoint.status}
            await audit(connection, actor, "webhook_endpoint.delete", endpoint_id, said)
        return await of_connection(connection, endpoint_id)


def _columns(wanted: EndpointWanted) -> list[object]:
    return [
        list(value) if isinstance(value, list | tuple) else value
        for value in (getattr(wanted, name) for name in WANTED)
    ]


def _told(wanted: EndpointWanted, names: Sequence[str]) -> Mapping[str, object]:
    """Members for the audit; of what is sealed only that it is there."""
    return {
        name: getattr(wanted, name) is not None if name in SEALED else getattr(wanted, name)
        for name in names
    }
