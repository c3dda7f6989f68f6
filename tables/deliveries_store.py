"""Deliveries and attempts in PostgreSQL: wanted by notify, looked up by deliver, projected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from headgate.streams.clock import from_ms
from headgate.streams.deliveries import AttemptMade, DeliveryWanted
from headgate.streams.engine.claims import Claim
from headgate.streams.errors import ClaimLost, StoreUnavailable
from headgate.streams.topics import PAYMENT_FACTS, WEBHOOKS_ATTEMPTS, Topic
from headgate.tables import held_store
from headgate.tables.claims import claim_columns
from headgate.tables.held_store import Noted
from headgate.tables.postgres import Postgres, Row, statements


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch of wanted deliveries."""

    version: int
    """The configuration's version. Another one than was matched with: nothing was stored."""
    fresh: frozenset[str]
    """The deliveries that were not there before."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a wanted attempt."""

    recorded: bool = False
    """It was made before; these follow it."""
    next_attempt: int | None = None
    next_at_ms: int | None = None
    delivered: bool = False
    """Its delivery has arrived, by this or by another attempt, or was canceled."""


class DeliveryStore:
    """Methods raise StoreUnavailable, and RowRefused for a row that will never be taken."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def want(
        self,
        claims: Mapping[int, Claim],
        positions: Mapping[int, int],
        version: int,
        wanted: Sequence[DeliveryWanted],
        topic: Topic = PAYMENT_FACTS,
    ) -> Stored:
        """Store a batch's deliveries as pending, and how far `topic` was read.

        `version` is that of the configuration that they were matched with. Raises ClaimLost.
        """
        row = await self._postgres.fetch_row(
            "want_deliveries",
            topic.name,
            *claim_columns(claims, positions),
            version,
            *(_column(wanted, name) for name in ("delivery_id", *_OF_THE_EVENT)),
            [from_ms(one.created_at_ms) for one in wanted],
        )
        row = _held(row, topic.name, claims)
        if row["version"] is None:
            raise StoreUnavailable("the configuration row is missing: run `headgate migrate`")
        return Stored(row["version"], frozenset(row["fresh"]))

    async def known(self, wanted: Sequence[DeliveryWanted]) -> list[Known]:
        """What is known of each, in their order."""
        keys = {(one.delivery_id, one.token): from_ms(one.created_at_ms) for one in wanted}
        rows = await self._postgres.fetch(
            "attempts_recorded",
            [delivery for delivery, _ in keys],
            [token for _, token in keys],
            list(keys.values()),
        )
        found = {
            (row["delivery_id"], row["token"]): Known(
                row["recorded"], row["next_attempt"], row["next_at_ms"], row["delivered"]
            )
            for row in rows
        }
        return [found[one.delivery_id, one.token] for one in wanted]

    async def project(
        self,
        claims: Mapping[int, Claim],
        positions: Mapping[int, int],
        made: Sequence[AttemptMade],
        noted: Sequence[Noted],
    ) -> None:
        """Store a batch's attempts, what its lanes hold, and what both mean for their deliveries.
        Raises ClaimLost."""
        arguments = self._attempts(claims, positions, made)
        async with self._postgres.connection() as connection, connection.transaction():
            row = await connection.fetchrow(statements()["project_attempts"], *arguments)
            _held(row, WEBHOOKS_ATTEMPTS.name, claims)
            await held_store.project(connection, made, noted)

    def _attempts(
        self,
        claims: Mapping[int, Claim],
        positions: Mapping[int, int],
        made: Sequence[AttemptMade],
    ) -> tuple[object, ...]:
        return (
            WEBHOOKS_ATTEMPTS.name,
            *claim_columns(claims, positions),
            *(_column(made, name) for name in ("delivery_id", *_OF_THE_EVENT)),
            *(_column(made, name) for name in ("token", "attempt")),
            [one.manual or one.probe for one in made],  # neither moves the schedule
            *(_column(made, name) for name in ("kind", "status_code", "error", "answer")),
            *(_headers(made, name) for name in ("request_headers", "answer_headers")),
            *(_column(made, name) for name in ("connect_ms", "first_byte_ms")),
            *(_times(made, name) for name in ("created_at_ms", "started_at_ms")),
            *(_column(made, name) for name in ("duration_ms", "next_attempt")),
            _times(made, "next_at_ms"),
        )


_OF_THE_EVENT = (
    *("event_id", "endpoint_id", "merchant_id", "mode", "payment_id", "replay_id", "type"),
)


def _column(rows: Iterable[DeliveryWanted | AttemptMade], name: str) -> list[object]:
    return [getattr(row, name) for row in rows]


def _times(rows: Iterable[AttemptMade], name: str) -> list[datetime | None]:
    return [None if (at := getattr(row, name)) is None else from_ms(at) for row in rows]


def _headers(rows: Iterable[AttemptMade], name: str) -> list[str]:
    return [orjson.dumps(getattr(row, name)).decode() for row in rows]


def _held(row: Row | None, topic: str, claims: Mapping[int, Claim]) -> Row:
    if row is None or not row["held"]:
        raise ClaimLost(f"{topic} partitions {sorted(claims)} were taken over")
    return row
