"""Everything the stores hold of a run's payments, a page at a time: what the verdict judges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

import orjson

from headgate.replay.standing import IN_DOUBT, Whose
from headgate.tables.payment import Payment
from headgate.tables.postgres import Postgres, Row

PAGE = 200
"""Payments that are read at a time: a thousand facts or two, some megabytes. They are judged in one
go, while the receiver waits."""
OTHER_WEBHOOKS_MAX = 100_000
"""Events about endpoints that are looked at."""

T = TypeVar("T")


@dataclass(frozen=True)
class StoredFact:
    """A fact as its row has it."""

    sequence: int
    event_id: str
    type: str
    payload: bytes

    @cached_property
    def said(self) -> Mapping[str, Any]:
        """The payload, parsed once."""
        parsed: dict[str, Any] = orjson.loads(self.payload)
        return parsed

    @property
    def payment(self) -> Mapping[str, Any]:
        """The payment as it was told."""
        told: dict[str, Any] = self.said["data"]["payment"]
        return told


@dataclass(frozen=True, slots=True)
class StoredChild:
    """A capture, void, refund, reversal or increment as its row has it."""

    id: str
    kind: str
    state: str
    amount: int


@dataclass(frozen=True, slots=True)
class StoredOperation:
    """A command that changed something."""

    command_id: str
    type: str
    key_id: str | None
    first_sequence: int
    last_sequence: int
    asks_again_ms: tuple[int, ...] = ()
    """When it has the bank asked again what became of something."""


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    """A try by the schedule to deliver a webhook."""

    attempt: int
    started_at: datetime
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A webhook to the run's endpoint."""

    id: str
    event_id: str
    status: str
    said: str
    """What its receiver last answered, for people."""
    attempts: tuple[StoredAttempt, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredPayment:
    """A payment with all that hangs on it."""

    payment: Payment
    """What decisions are made from (`payments.record`)."""
    state: str
    status: str
    amount: int
    facts: Sequence[StoredFact] = ()
    children: Sequence[StoredChild] = ()
    operations: Sequence[StoredOperation] = ()
    deliveries: Sequence[StoredDelivery] = ()

    @property
    def in_doubt(self) -> bool:
        """Whether the bank has not told what became of it, or of a capture or refund of it."""
        return self.state == IN_DOUBT or any(child.state == IN_DOUBT for child in self.children)

    @property
    def asks_again_ms(self) -> int | None:
        """When the bank is asked the next time, in milliseconds since 1970; None: never was."""
        return max((ms for one in self.operations for ms in one.asks_again_ms), default=None)


async def pages(postgres: Postgres, of: Whose) -> AsyncIterator[list[StoredPayment]]:
    """The run's payments, oldest first. Raises StoreUnavailable."""
    at, last = of.since, ""
    while True:
        rows = await postgres.fetch("verdict_page", of.merchant_id, of.mode, at, last, PAGE)
        if rows:
            yield await _page(postgres, of, rows)
            at, last = rows[-1]["created_at"], rows[-1]["id"]
        if len(rows) < PAGE:
            return


async def _page(postgres: Postgres, of: Whose, rows: Sequence[Row]) -> list[StoredPayment]:
    ids = [row["id"] for row in rows]
    facts = _by_payment(await postgres.fetch("verdict_facts", ids), _fact)
    children = _by_payment(await postgres.fetch("verdict_children_of", ids), _child)
    operations = _by_payment(await postgres.fetch("verdict_operations", ids), _operation)
    deliveries = await _deliveries(postgres, of.endpoint_id, ids)
    return [
        StoredPayment(
            Payment.model_validate_json(row["record"]),
            row["state"],
            row["status"],
            row["amount"],
            facts.get(row["id"], ()),
            children.get(row["id"], ()),
            operations.get(row["id"], ()),
            deliveries.get(row["id"], ()),
        )
        for row in rows
    ]


async def _deliveries(
    postgres: Postgres, endpoint_id: str | None, ids: Sequence[str]
) -> Mapping[str, Sequence[StoredDelivery]]:
    if endpoint_id is None:
        return {}
    rows = await postgres.fetch("verdict_deliveries_of", ids, endpoint_id)
    # Of one try there is nothing to tell but that it was the first.
    again = [row for row in rows if row["attempts"] > 1]
    places = [row["id"] for row in again], [row["created_at"] for row in again]
    tries: dict[str, list[StoredAttempt]] = defaultdict(list)
    if again:
        for row in await postgres.fetch("verdict_attempts_of", *places):
            made = StoredAttempt(row["attempt"], row["started_at"], row["next_at"])
            tries[row["delivery_id"]].append(made)
    return _by_payment(rows, lambda row: _delivery(row, tries.get(row["id"], ())))


def _delivery(row: Row, attempts: Sequence[StoredAttempt]) -> StoredDelivery:
    said = str(row["response_code"] or row["response_body"] or "nothing")
    return StoredDelivery(row["id"], row["event_id"], row["status"], said, tuple(attempts))


def _fact(row: Row) -> StoredFact:
    return StoredFact(row["sequence"], row["event_id"], row["type"], row["payload"])


def _child(row: Row) -> StoredChild:
    return StoredChild(row["id"], row["kind"], row["state"], row["amount"])


def _operation(row: Row) -> StoredOperation:
    asked = orjson.loads(row["inquiries"]) if row["inquiries"] else []
    times = [one["not_before_ms"] for one in asked if one["request"]["type"] == "inquire"]
    return StoredOperation(
        row["command_id"],
        row["type"],
        row["key_id"],
        row["first_sequence"],
        row["last_sequence"],
        tuple(ms for ms in times if ms is not None),
    )


def _by_payment(rows: Sequence[Row], made: Callable[[Row], T]) -> Mapping[str, list[T]]:
    found: dict[str, list[T]] = defaultdict(list)
    for row in rows:
        found[row["payment_id"]].append(made(row))
    return found


async def other_webhooks(postgres: Postgres, of: Whose) -> Sequence[tuple[str, bytes]]:
    """Id and body of what the endpoint was sent that is about no payment. Raises
    StoreUnavailable."""
    if of.endpoint_id is None:
        return ()
    rows = await postgres.fetch("verdict_other_webhooks", of.endpoint_id, OTHER_WEBHOOKS_MAX)
    return [(row["event_id"], row["payload"]) for row in rows]
