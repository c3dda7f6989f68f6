"""Merchants: created, changed, put on hold; one transaction each, with its audit row."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, TypedDict, Unpack
from urllib.parse import urlsplit

import orjson
from asyncpg.pool import PoolConnectionProxy

from headgate.streams.commands import Mode
from headgate.streams.ids import draw_id
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres, Row, statements
from headgate.tables.scopes import DEFAULT_SCOPES, in_order

SEED_EVENTS = ("payment.success", "payment.failed", "refund.processed")
"""What the seed sends, and so what its settings call subscribes to (08 R30)."""

DEMO_EMAIL = "test@example.com"
DEMO_KEY = "key_test_abc123"
DEMO_SECRET = "secret_test_xyz789"  # noqa: S105  the seed's published demo secret
OPERATOR_ACTOR = "operator"
"""Who the audit names for what the command line does."""

Connection: TypeAlias = "PoolConnectionProxy[Row]"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new key pair; the secret is shown once and never stored."""

    merchant_id: str
    key: str
    secret: str


@dataclass(frozen=True, slots=True)
class StoredMerchant:
    """A merchant as PostgreSQL has it."""

    id: str
    name: str
    email: str
    require_keys: bool
    active: bool
    """Whether its keys may change anything; reading is always possible."""
    created_at: datetime
    checkout_origins: Sequence[str] = ()
    """Origins of the pages that may show the checkout form in a frame."""


def hash_secret(secret: str) -> bytes:
    """What is stored of an API secret. Secrets are random and long, so SHA-256 is enough."""
    return hashlib.sha256(secret.encode()).digest()


def draw_pair(mode: Mode) -> tuple[str, str]:
    """A new random key id and secret, for a key that no request made."""
    return f"key_{mode}_{secrets.token_hex(8)}", f"secret_{mode}_{secrets.token_urlsafe(24)}"


@asynccontextmanager
async def changing(postgres: Postgres) -> AsyncIterator[Connection]:
    """A transaction that changes the configuration. It locks the one row of its version, so that
    changes come one by one, and every process reads the configuration again."""
    async with postgres.connection() as connection, connection.transaction():
        await connection.execute(statements()["bump_configuration"])
        yield connection


async def audit(
    connection: Connection, actor: str, action: str, subject: str, change: Mapping[str, object]
) -> None:
    """Write down who did what to whom; never a secret."""
    said = orjson.dumps(change).decode()
    await connection.execute(statements()["audit"], actor, action, subject, said)


async def create(
    postgres: Postgres, name: str, email: str, mode: Mode, *, pair: tuple[str, str] | None = None
) -> KeyPair:
    """A merchant with one key pair. Raises RowRefused when the e-mail address is taken."""
    merchant_id = draw_id("mer_")
    key, secret = pair or draw_pair(mode)
    scopes = in_order(DEFAULT_SCOPES)
    async with changing(postgres) as connection:
        await connection.execute(statements()["create_merchant"], merchant_id, name, email)
        hashed = hash_secret(secret)
        whose = (key, merchant_id, mode, hashed)
        await connection.execute(
            statements()["create_api_key"], *whose, None, scopes, None, False, None
        )
        said = {"name": name, "email": email, "api_key": key}
        await audit(connection, OPERATOR_ACTOR, "merchant.create", merchant_id, said)
    return KeyPair(merchant_id, key, secret)


async def find(postgres: Postgres, who: str) -> StoredMerchant | None:
    """The merchant with this id or e-mail address. Raises StoreUnavailable."""
    row = await postgres.fetch_row("stored_merchant", who)
    return StoredMerchant(**dict(row)) if row else None


async def listed(postgres: Postgres) -> Sequence[StoredMerchant]:
    """Every merchant, oldest first. Raises StoreUnavailable."""
    return [StoredMerchant(**dict(row)) for row in await postgres.fetch("stored_merchants")]


class MerchantChange(TypedDict, total=False):
    """What may change of a merchant."""

    name: str
    require_keys: bool
    active: bool
    checkout_origins: Sequence[str]


_CHANGED = ("name", "require_keys", "active", "checkout_origins")
"""In the order of the statement's parameters."""


async def change(
    postgres: Postgres, merchant_id: str, actor: str, **given: Unpack[MerchantChange]
) -> StoredMerchant | None:
    """Change what is given, leave the rest; None when there is no such merchant."""
    columns = [given.get(name) for name in _CHANGED]
    async with changing(postgres) as connection:
        row = await connection.fetchrow(statements()["change_merchant"], merchant_id, *columns)
        if row is None:
            return None
        await audit(connection, actor, "merchant.change", merchant_id, dict(given))
    return StoredMerchant(**dict(row))


def demo_allowed(settings: Settings) -> bool:
    """The demo pair is public, so it exists in test mode on loopback only."""
    hosts = {settings.http_host, urlsplit(settings.postgres).hostname}
    return settings.test_mode and hosts <= {"127.0.0.1", "::1", "localhost"}


async def create_demo(settings: Settings) -> bool:
    """The seed's demo merchant, once; whether it was made now."""
    if not demo_allowed(settings):
        return False
    postgres = Postgres(settings)
    try:
        if await postgres.fetch_row("merchant_by_email", DEMO_EMAIL):
            return False
        await create(postgres, "Test Merchant", DEMO_EMAIL, "test", pair=(DEMO_KEY, DEMO_SECRET))
    finally:
        await postgres.close()
    return True
