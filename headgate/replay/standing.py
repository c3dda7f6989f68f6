"""How a run's merchant stands in the stores: what is decided, what is open, what was delivered."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TypeVar

from headgate.replay.outlook import command_of
from headgate.replay.recorded import Source
from headgate.replay.sandbox import Sandbox
from headgate.streams.errors import StoreUnavailable
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables.postgres import Postgres, Row

DECIDING = frozenset({"created", "processing"})
"""States of payments that the gateway itself moves on: none may stay in them."""
CHILD_DECIDING = frozenset({"requested", "submitted"})
"""The same of captures, refunds and the like; a refund that its merchant deferred is `deferred`."""
IN_DOUBT = "in_doubt"
DELIVERED = "success"
LOOK_EVERY_S = 0.5
LOOK_SHARE = 10
"""A look at the stores is followed by a pause of at least ten times its length: judging a large run
must not take the database from those who serve it."""
SETTLE_S_MAX = 3600.0
"""The longest that a verdict waits, however much still moves."""
IDS_PAGE = 1000
CLOCK_SLACK_S = 60
"""How far the clock of whoever accepted a payment may be behind the run's."""
GENESIS = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Whose:
    """The rows that are a run's: of its merchant, since it began, told to its endpoint."""

    merchant_id: str
    mode: str = "test"
    since: datetime = GENESIS
    endpoint_id: str | None = None
    alone: bool = True
    """Whether the merchant is the run's own, so that nobody else may have made a row."""
    why_untold: str = ""
    """Why there is no endpoint, where there is none."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Numbers by state, at one moment."""

    payments: Mapping[str, int] = field(default_factory=dict)
    facts: int = 0
    children: Mapping[str, int] = field(default_factory=dict)
    deliveries: Mapping[str, int] = field(default_factory=dict)

    @property
    def stored(self) -> int:
        """Payments that have a row."""
        return sum(self.payments.values())

    @property
    def deciding(self) -> int:
        """Payments, captures, refunds and the like that the gateway has still to move."""
        payments = sum(self.payments.get(state, 0) for state in DECIDING)
        return payments + sum(self.children.get(state, 0) for state in CHILD_DECIDING)

    @property
    def in_doubt(self) -> int:
        """Those of which the bank has not told; it is asked again."""
        return self.payments.get(IN_DOUBT, 0) + self.children.get(IN_DOUBT, 0)

    @property
    def delivered(self) -> int:
        """Webhooks that their receiver took."""
        return self.deliveries.get(DELIVERED, 0)

    @property
    def undelivered(self) -> int:
        """Webhooks that are still to arrive, those of facts that were not matched yet included."""
        return max(sum(self.deliveries.values()), self.facts) - self.delivered

    def settled(self, accepted: int, *, told: bool) -> bool:
        """Whether nothing is left to wait for but what is in doubt; `told`: no webhook either."""
        done = self.stored >= accepted and self.deciding == 0
        return done and (not told or self.undelivered == 0)


async def whose(postgres: Postgres, sandbox: Sandbox, began_at: datetime) -> Whose:
    """The rows of a run: everything of a merchant of its own, else what came since it began.
    Raises StoreUnavailable."""
    if sandbox.own:
        return Whose(
            sandbox.merchant_id, endpoint_id=sandbox.endpoint_id, why_untold=sandbox.why_untold
        )
    row = await postgres.fetch_row("verdict_key_owner", sandbox.key)
    mode = row["mode"] if row else "test"
    since = datetime.fromtimestamp(began_at.timestamp() - CLOCK_SLACK_S, UTC)
    untold = sandbox.why_untold
    return Whose(sandbox.merchant_id, mode, since, sandbox.endpoint_id, False, untold)


async def standing(postgres: Postgres, of: Whose) -> Standing:
    """How things stand now. Raises StoreUnavailable."""
    owner = (of.merchant_id, of.mode, of.since)
    payments = await postgres.fetch("verdict_payments", *owner)
    children = await postgres.fetch("verdict_children", *owner)
    deliveries: Sequence[Row] = ()
    if of.endpoint_id is not None:
        deliveries = await postgres.fetch("verdict_deliveries", of.endpoint_id)
    return Standing(
        payments={row["state"]: row["payments"] for row in payments},
        facts=sum(row["facts"] for row in payments),
        children={row["state"]: row["children"] for row in children},
        deliveries={row["status"]: row["deliveries"] for row in deliveries},
    )


S = TypeVar("S")
Look = Callable[[], Awaitable[S]]
Enough = Callable[[S], Awaitable[bool]]


async def come_to_rest(
    look: Look[S],
    enough: Enough[S],
    within_s: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> S | None:
    """Look again and again until it is enough, or until nothing has moved for `within_s` seconds
    (`SETTLE_S_MAX` at most in all). The last that was seen; None when PostgreSQL never told."""
    last: S | None = None
    moved_at = began_at = clock()
    while True:
        looked_at = clock()
        # PostgreSQL may be back in a moment; not having moved is what ends the wait.
        with contextlib.suppress(StoreUnavailable):
            now = await look()
            if now != last:
                last, moved_at = now, looked_at
            if await enough(now):
                return now
        over = clock()
        if over - moved_at >= within_s or over - began_at >= SETTLE_S_MAX:
            return last
        await pause(max(LOOK_EVERY_S, LOOK_SHARE * (over - looked_at)))


@dataclass(frozen=True, slots=True)
class Stands:
    """How much the stores hold about some payments: what `--same-ids` must leave as it is."""

    payments: int = 0
    versions: int = 0
    facts: int = 0
    operations: int = 0
    children: int = 0
    deliveries: int = 0
    attempts: int = 0

    def __add__(self, other: Stands) -> Stands:
        return Stands(
            *(getattr(self, one.name) + getattr(other, one.name) for one in fields(Stands))
        )


@dataclass(frozen=True, slots=True)
class Stood:
    """How some payments stood at one moment."""

    payment_ids: frozenset[str]
    sums: Stands


async def stood(postgres: Postgres, payment_ids: Collection[str]) -> Stood:
    """How these payments stand now, by sums over all of them. Raises StoreUnavailable."""
    total, every = Stands(), frozenset(payment_ids)
    for page in _pages(sorted(every)):
        row = await postgres.fetch_row("verdict_stands", page)
        total += Stands(**dict(row or {}))
    return Stood(every, total)


async def never_decided(postgres: Postgres, source: Source) -> int:
    """How many commands of the source settle has not decided here: where they are appended as they
    are, it would do so now. Raises StoreUnavailable, and what the source's `records` does."""
    page: set[str] = set()
    unknown = 0
    async with contextlib.aclosing(source.records()) as records:
        async for record in records:
            command = command_of(record) if record.topic == PAYMENT_COMMANDS.name else None
            if command is not None:
                page.add(command.command_id)
            if len(page) >= IDS_PAGE:
                unknown += await _undecided(postgres, page)
                page.clear()
    return unknown + await _undecided(postgres, page)


async def _undecided(postgres: Postgres, command_ids: Collection[str]) -> int:
    row = await postgres.fetch_row("commands_decided", list(command_ids))
    return len(command_ids) - (row["decided"] if row else 0)


def _pages(ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), IDS_PAGE):
        yield list(ids[start : start + IDS_PAGE])
