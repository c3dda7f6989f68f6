"""Secrets of endpoints: rotated with an overlap in which several sign, or all at once."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.tables.api_keys import SHOWN_AGAIN_S, check_actor
from headgate.tables.endpoint import (
    EndpointRequestDiffers,
    Owner,
    StoredEndpoint,
    TooManySecrets,
)
from headgate.tables.endpoints import alive, of_connection
from headgate.tables.merchants import Connection, audit, changing
from headgate.tables.postgres import Postgres, statements

SECRETS_MAX = 3
"""Secrets of one endpoint that sign at a time; each adds 48 bytes to every attempt."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """A new secret, how long the old ones sign beside it, and who asked by which request."""

    id: str
    """Derived from the request's idempotency key."""
    sealed_secret: str
    overlap_s: int
    """0 ends all others at once."""
    actor: str
    request: str


@dataclass(frozen=True, slots=True)
class Rotated:
    """An endpoint whose secret was rotated, now or by the request that this one repeats."""

    endpoint: StoredEndpoint
    repeated: bool
    shown: bool
    """Whether the secret may be shown: it is the one that this request made, a moment ago."""


async def rotate(postgres: Postgres, endpoint_id: str, rotation: Rotation, whose: Owner) -> Rotated:
    """Give an endpoint a new secret.

    Raises ActorNotActive, EndpointUnknown, EndpointDeleted, EndpointRequestDiffers or
    TooManySecrets.
    """
    async with changing(postgres) as connection:
        await check_actor(connection, rotation.actor)
        endpoint = await alive(connection, endpoint_id, whose)
        before = await _rotated_before(connection, endpoint, rotation)
        if before is not None:
            return before
        _check_room(endpoint, rotation)
        await connection.execute(
            statements()["rotate_endpoint_secret"],
            rotation.id,
            endpoint_id,
            rotation.request,
            rotation.sealed_secret,
            rotation.overlap_s,
        )
        said = {"overlap_s": rotation.overlap_s}
        await audit(connection, rotation.actor, "webhook_endpoint.rotate", endpoint_id, said)
        endpoint = await of_connection(connection, endpoint_id)
        return Rotated(endpoint, repeated=False, shown=True)


async def _rotated_before(
    connection: Connection, endpoint: StoredEndpoint, rotation: Rotation
) -> Rotated | None:
    row = await connection.fetchrow(statements()["stored_rotation"], rotation.id, endpoint.id)
    if row is None:
        return None
    if row["request"] != rotation.request:
        raise EndpointRequestDiffers("This Idempotency-Key rotated a secret by another request.")
    shown = row["latest"] and row["age_s"] < SHOWN_AGAIN_S
    return Rotated(endpoint, repeated=True, shown=shown)


def _check_room(endpoint: StoredEndpoint, rotation: Rotation) -> None:
    if rotation.overlap_s and len(endpoint.older_secrets) + 2 > SECRETS_MAX:
        raise TooManySecrets(
            f"{SECRETS_MAX} secrets of {endpoint.id} sign already; wait for the end of an overlap, "
            "or send overlap_s 0, which ends all but the new one."
        )
