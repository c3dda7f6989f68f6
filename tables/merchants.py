"""Creating merchants, keys and endpoints: one transaction each, with its audit row."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from headgate.streams.commands import Mode
from headgate.streams.ids import draw_id
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres, statements
from headgate.tables.scopes import DEFAULT_SCOPES

SEED_EVENTS = ("payment.success", "payment.failed", "refund.processed")
"""What the seed sends, and so what its settings call subscribes to (08 R30)."""

DEMO_EMAIL = "test@example.com"
DEMO_KEY = "key_test_abc123"
DEMO_SECRET = "secret_test_xyz789"  # noqa: S105  the seed's published demo secret


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new key pair; the secret is shown once and never stored."""

    merchant_id: str
    key: str
    secret: str


def hash_secret(secret: str) -> bytes:
    """What is stored of an API secret. Secrets are random and long, so SHA-256 is enough."""
    return hashlib.sha256(secret.encode()).digest()


async def create(
    postgres: Postgres, name: str, email: str, mode: Mode, *, pair: tuple[str, str] | None = None
) -> KeyPair:
    """A merchant with one key pair. Raises RowRefused when the e-mail address is taken."""
    merchant_id = draw_id("mer_")
    key, secret = pair or (
        f"key_{mode}_{secrets.token_hex(8)}",
        f"secret_{mode}_{secrets.token_urlsafe(24)}",
    )
    async with postgres.connection() as connection, connection.transaction():
        await connection.execute(statements()["create_merchant"], merchant_id, name, email)
        await connection.execute(
            statements()["create_api_key"],
            key,
            merchant_id,
            mode,
            hash_secret(secret),
            sorted(DEFAULT_SCOPES),
        )
        await connection.execute(statements()["bump_configuration"])
        await connection.execute(
            statements()["audit"], "operator", "merchant.create", merchant_id, "{}"
        )
    return KeyPair(merchant_id, key, secret)


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
