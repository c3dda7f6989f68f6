"""API keys: created, rotated with an overlap, revoked; one transaction each, with its audit row."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from headgate.streams.cards import quoted
from headgate.streams.commands import Mode
from headgate.streams.errors import HeadgateError
from headgate.tables.acting import is_person
from headgate.tables.merchants import OPERATOR_ACTOR, Connection, audit, changing, hash_secret
from headgate.tables.postgres import Postgres, statements
from headgate.tables.scopes import DEFAULT_SCOPES, in_order

KEYS_MAX = 100
"""Keys of one merchant and mode that work at a time."""
OVERLAP_S = 86_400
"""For how long a rotated key still works unless it is said otherwise."""
OVERLAP_S_MAX = 30 * 86_400
SHOWN_AGAIN_S = 300
"""For how long the repeat of the request that made a key is shown its secret again: the first
answer may have been lost, and nobody else can tell the secret."""

KeyStatus = Literal["active", "expiring", "expired", "revoked"]


class KeyUnknown(HeadgateError):
    """There is no such key, or it is another's."""


class KeyNotActive(HeadgateError):
    """A key that was revoked or replaced already cannot be rotated."""


class ActorNotActive(HeadgateError):
    """The key that asks was revoked meanwhile; other processes may not know that yet."""


class KeyRequestDiffers(HeadgateError):
    """The idempotency key made a key for another request."""


class TooManyKeys(HeadgateError):
    """The merchant has as many keys of this mode as it may have."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as PostgreSQL has it."""

    id: str
    merchant_id: str
    mode: Mode
    name: str | None
    scopes: Sequence[str]
    rate_per_s: int | None
    strict_parameters: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by: str | None
    secret_hash: bytes
    request: str | None
    read_at: datetime
    """PostgreSQL's clock, which all the other times are of."""

    @property
    def status(self) -> KeyStatus:
        """Whether it works: `expiring` still does, until the overlap of its rotation ends."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is None:
            return "active"
        return "expiring" if self.expires_at > self.read_at else "expired"


@dataclass(frozen=True, slots=True)
class KeyWanted:
    """What a new key is to be."""

    merchant_id: str
    mode: Mode
    name: str | None = None
    scopes: frozenset[str] = DEFAULT_SCOPES
    rate_per_s: int | None = None
    strict_parameters: bool = False


@dataclass(frozen=True, slots=True)
class Drawn:
    """The pair that a new key is to have, and who asked for it by which request."""

    key_id: str
    secret: str
    actor: str = OPERATOR_ACTOR
    request: str | None = None
    """Hash of the request, by which its repeat is known; None for what is never repeated."""


@dataclass(frozen=True, slots=True)
class KeyMade:
    """A key that was made, now or by the request that this one repeats."""

    key: StoredKey
    secret: str | None
    """Shown once, and again to a repeat for a while; then None."""
    repeated: bool


async def find(
    postgres: Postgres, key_id: str, whose: tuple[str, str] | None = None
) -> StoredKey | None:
    """The key with this id, of this merchant and mode if these are given."""
    row = await postgres.fetch_row("stored_key", key_id, *(whose or (None, None)))
    return StoredKey(**dict(row)) if row else None


async def listed(
    postgres: Postgres, merchant_id: str, modes: Sequence[str], limit: int, after: str | None = None
) -> Sequence[StoredKey]:
    """The merchant's keys, newest first; `after` is the last key of the page before."""
    rows = await postgres.fetch("stored_keys", merchant_id, modes, limit, after)
    return [StoredKey(**dict(row)) for row in rows]


async def create(postgres: Postgres, wanted: KeyWanted, drawn: Drawn) -> KeyMade:
    """Make a key, or find the one that the same request made before.

    Raises ActorNotActive, KeyRequestDiffers or TooManyKeys.
    """
    async with changing(postgres) as connection:
        await check_actor(connection, drawn.actor)
        made = await _made_before(connection, drawn)
        if made is not None:
            return made
        whose = (wanted.merchant_id, wanted.mode)
        if await connection.fetchval(statements()["api_keys_alive"], *whose) >= KEYS_MAX:
            raise TooManyKeys(
                f"There are {KEYS_MAX} {wanted.mode} keys that work; revoke one of them first."
            )
        return await _insert(connection, wanted, drawn, "api_key.create", {})


async def rotate(
    postgres: Postgres,
    key_id: str,
    drawn: Drawn,
    overlap_s: int,
    whose: tuple[str, str] | None = None,
) -> KeyMade:
    """Replace a key by one that may do the same; the old one works until the overlap ends.

    Raises ActorNotActive, KeyUnknown, KeyNotActive or KeyRequestDiffers.
    """
    async with changing(postgres) as connection:
        await check_actor(connection, drawn.actor)
        old = await _stored(connection, key_id, whose)
        made = await _made_before(connection, drawn)
        if made is not None:
            return made
        if old.status != "active":
            instead = f"; {old.replaced_by} replaced it" if old.replaced_by else ""
            raise KeyNotActive(f"The key {key_id} is {old.status}{instead}.")
        wanted = KeyWanted(
            merchant_id=old.merchant_id,
            mode=old.mode,
            name=old.name,
            scopes=frozenset(old.scopes),
            rate_per_s=old.rate_per_s,
            strict_parameters=old.strict_parameters,
        )
        said = {"replaces": key_id, "overlap_s": overlap_s}
        made = await _insert(connection, wanted, drawn, "api_key.rotate", said)
        replacing = (key_id, drawn.key_id, overlap_s)
        await connection.execute(statements()["replace_api_key"], *replacing)
        return made


async def revoke(
    postgres: Postgres, key_id: str, actor: str, whose: tuple[str, str] | None = None
) -> StoredKey:
    """End a key at once; one that is revoked stays so. Raises ActorNotActive or KeyUnknown."""
    async with changing(postgres) as connection:
        await check_actor(connection, actor)
        key = await _stored(connection, key_id, whose)
        if key.revoked_at is not None:
            return key
        await connection.execute(statements()["revoke_api_key"], key_id)
        said = {"merchant_id": key.merchant_id, "mode": key.mode, "was": key.status}
        await audit(connection, actor, "api_key.revoke", key_id, said)
        return await _stored(connection, key_id, None)


async def check_actor(connection: Connection, actor: str) -> None:
    """Changes come one by one, so a key that was revoked before this one changes nothing more.
    A person's acting token ends by itself within a minute. Raises ActorNotActive."""
    if actor != OPERATOR_ACTOR and not is_person(actor):
        key = await _stored(connection, actor, None)
        if key.status in ("revoked", "expired"):
            raise ActorNotActive(f"This API key is {key.status}; use another one.")


async def _stored(connection: Connection, key_id: str, whose: tuple[str, str] | None) -> StoredKey:
    owner = whose or (None, None)
    row = await connection.fetchrow(statements()["stored_key"], key_id, *owner)
    if row is None:
        raise KeyUnknown(f"There is no API key {quoted(key_id)}.")
    return StoredKey(**dict(row))


async def _made_before(connection: Connection, drawn: Drawn) -> KeyMade | None:
    """The key that the same request made before, with its secret if that is not long ago."""
    row = await connection.fetchrow(statements()["stored_key"], drawn.key_id, None, None)
    if row is None:
        return None
    key = StoredKey(**dict(row))
    if key.request != drawn.request:
        raise KeyRequestDiffers("This Idempotency-Key made an API key for another request.")
    fresh = (key.read_at - key.created_at).total_seconds() < SHOWN_AGAIN_S
    # Another HEADGATE_SECRET_KEY would derive another secret, which opens nothing.
    same = hmac.compare_digest(hash_secret(drawn.secret), key.secret_hash)
    return KeyMade(key, drawn.secret if fresh and same else None, repeated=True)


async def _insert(
    connection: Connection, wanted: KeyWanted, drawn: Drawn, action: str, more: dict[str, object]
) -> KeyMade:
    scopes = in_order(wanted.scopes)
    await connection.execute(
        statements()["create_api_key"],
        drawn.key_id,
        wanted.merchant_id,
        wanted.mode,
        hash_secret(drawn.secret),
        wanted.name,
        scopes,
        wanted.rate_per_s,
        wanted.strict_parameters,
        drawn.request,
    )
    said = {
        "merchant_id": wanted.merchant_id,
        "mode": wanted.mode,
        "name": wanted.name,
        "scopes": scopes,
        "rate_per_s": wanted.rate_per_s,
        "strict_parameters": wanted.strict_parameters,
        **more,
    }
    await audit(connection, drawn.actor, action, drawn.key_id, said)
    key = await _stored(connection, drawn.key_id, None)
    return KeyMade(key, drawn.secret, repeated=False)
