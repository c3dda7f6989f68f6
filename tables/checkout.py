"""Checkout sessions: what a customer is asked to pay. Made once, never changed (08 R25)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from headgate.streams import ids
from headgate.streams.commands import Mode
from headgate.tables.postgres import Postgres, Row

FORGOTTEN_MAX = 5
"""Old sessions that a new one takes with it: more than one, so that none are left in the end, and
few, because the shop waits for it."""


@dataclass(frozen=True, slots=True)
class SessionWanted:
    """What a new session is to be; amounts are minor units."""

    merchant_id: str
    mode: Mode
    order_id: str
    amount: int
    currency: str
    methods: Sequence[str]
    success_url: str | None = None
    cancel_url: str | None = None


@dataclass(frozen=True, slots=True)
class SessionDrawn:
    """Id and secret of a new session, who asks for it by which request, and how long it lives."""

    session_id: str
    secret_hash: bytes
    actor: str
    request: str
    lives_s: int
    kept_days: int
    """How long sessions that are over are kept."""


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as PostgreSQL has it."""

    id: str
    merchant_id: str
    mode: Mode
    order_id: str
    amount: int
    currency: str
    methods: Sequence[str]
    success_url: str | None
    cancel_url: str | None
    secret_hash: bytes
    request: str
    created_at: datetime
    expires_at: datetime
    read_at: datetime
    """PostgreSQL's clock, which the other times are of."""

    @property
    def expired(self) -> bool:
        """Whether no payment may begin any more."""
        return self.read_at >= self.expires_at

    def payment_id(self, number: int) -> str:
        """The one payment of each attempt: the first is 1 (08 R25)."""
        return ids.payment_id(self.merchant_id, self.mode, ids.checkout_key(self.id, number))


async def create(
    postgres: Postgres, wanted: SessionWanted, drawn: SessionDrawn
) -> tuple[StoredSession | None, bool]:
    """The session, and whether it was made now rather than by a request that this one repeats;
    no session when it cannot be read back. Raises StoreUnavailable."""
    made = await postgres.fetch_row(
        "create_checkout_session",
        drawn.session_id,
        wanted.merchant_id,
        wanted.mode,
        wanted.order_id,
        wanted.amount,
        wanted.currency,
        list(wanted.methods),
        wanted.success_url,
        wanted.cancel_url,
        drawn.secret_hash,
        drawn.actor,
        drawn.request,
        drawn.lives_s,
        drawn.kept_days,
        FORGOTTEN_MAX,
    )
    return await find(postgres, drawn.session_id), made is not None


async def find(
    postgres: Postgres, session_id: str, whose: tuple[str, str] | None = None
) -> StoredSession | None:
    """The session with this id, of this merchant and mode if these are given. Raises
    StoreUnavailable."""
    row = await postgres.fetch_row("checkout_session", session_id, *(whose or (None, None)))
    return _session(row) if row else None


async def of_order(
    postgres: Postgres, whose: tuple[str, str], order_id: str
) -> StoredSession | None:
    """The newest session of an order that may still be paid. Raises StoreUnavailable."""
    row = await postgres.fetch_row("checkout_session_of_order", *whose, order_id)
    return _session(row) if row else None


def _session(row: Row) -> StoredSession:
    return StoredSession(**dict(row))
