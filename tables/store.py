"""What settle decided, in the one statement that stores all of it or nothing (08 R1)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from headgate.streams.clock import from_ms
from headgate.streams.codec import encode
from headgate.streams.commands import OUTGOING
from headgate.streams.engine.claims import Claim
from headgate.streams.errors import ClaimLost
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables.claims import claim_columns
from headgate.tables.decided import Decided
from headgate.tables.payment import Payment
from headgate.tables.payments import Decision, Outgoing
from headgate.tables.postgres import Postgres, Row
from headgate.tables.store_columns import child_columns, client_columns


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why nothing was stored: payments that moved on meanwhile, commands decided before."""

    stale: frozenset[str]
    known: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.stale or self.known)


@dataclass(frozen=True, slots=True)
class Operation:
    """A command that was decided before, and where its outputs are."""

    command_id: str
    payment_id: str
    partition: int
    offset: int
    first_sequence: int
    last_sequence: int
    requests: tuple[Outgoing, ...]
    refusal: str | None = None
    """The code of why it changed nothing."""
    fingerprint: str | None = None
    request_id: str | None = None
    result: bytes | None = None
    """What its client is answered."""


class PaymentStore:
    """Payments, facts and operations in PostgreSQL. All methods raise StoreUnavailable."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def settle(
        self,
        claims: Mapping[int, Claim],
        positions: Mapping[int, int],
        decided: Sequence[Decided],
    ) -> Conflict:
        """Store a whole batch, or nothing and say why.

        `positions` are the offsets behind the batch. Raises ClaimLost when a claim was taken
        over, RowRefused when PostgreSQL will never take one of the rows.
        """
        row = await self._postgres.fetch_row(
            "settle",
            PAYMENT_COMMANDS.name,
            *claim_columns(claims, positions),
            *_payment_columns(decided),
            *_fact_and_operation_columns(decided),
            *client_columns(decided),
            *child_columns(decided),
        )
        if row is None or not row["held"]:
            raise ClaimLost(f"{PAYMENT_COMMANDS.name} partitions {sorted(claims)} were taken over")
        return Conflict(frozenset(row["stale"]), frozenset(row["known"]))

    async def payments(self, payment_ids: Iterable[str]) -> dict[str, Payment]:
        """Those of the payments that exist."""
        rows = await self._postgres.fetch("records", list(payment_ids))
        return {row["id"]: Payment.model_validate_json(row["record"]) for row in rows}

    async def operations(self, command_ids: Iterable[str]) -> dict[str, Operation]:
        """Those of the commands that have been decided."""
        rows = await self._postgres.fetch("decided", list(command_ids))
        return {row["command_id"]: _operation(row) for row in rows}

    async def facts_of(self, operations: Sequence[Operation]) -> list[tuple[str, bytes]]:
        """(payment id, fact) for all that the operations told, in order per payment."""
        rows = await self._postgres.fetch(
            "facts_between",
            [operation.payment_id for operation in operations],
            [operation.first_sequence for operation in operations],
            [operation.last_sequence for operation in operations],
        )
        return [(row["payment_id"], row["payload"]) for row in rows]


def _payment_columns(decided: Sequence[Decided]) -> list[object]:
    """A payment that several commands moved is compared with its first base version and written
    in its last version: one statement may not touch a row twice."""
    first: dict[str, int] = {}
    last: dict[str, Payment] = {}
    for item in decided:
        payment = item.decision.payment
        if payment is not None:
            first.setdefault(payment.id, item.base_version)
            last[payment.id] = payment
    rows = list(last.values())
    return [
        [payment.id for payment in rows],
        [first[payment.id] for payment in rows],
        [payment.version for payment in rows],
        [payment.merchant_id for payment in rows],
        [payment.mode for payment in rows],
        [payment.status for payment in rows],
        [payment.state for payment in rows],
        [payment.amount for payment in rows],
        [payment.currency for payment in rows],
        [payment.method for payment in rows],
        [payment.order_id for payment in rows],
        [from_ms(payment.created_at_ms) for payment in rows],
        [from_ms(payment.updated_at_ms) for payment in rows],
        [payment.model_dump_json() for payment in rows],
    ]


def _fact_and_operation_columns(decided: Sequence[Decided]) -> list[object]:
    """The columns in the order of the statement's parameters $20 to $37."""
    facts = [
        (fact, bytes_, item)
        for item in decided
        for fact, bytes_ in zip(item.decision.facts, item.fact_bytes, strict=True)
    ]
    return [
        [fact.id for fact, _, _ in facts],
        [item.command.payment_id for _, _, item in facts],
        [fact.sequence for fact, _, _ in facts],
        [fact.type for fact, _, _ in facts],
        [item.command.command_id for item in decided],
        [item.command.payment_id for item in decided],
        [item.command.merchant_id for item in decided],
        [item.command.type for item in decided],
        [item.fingerprint for item in decided],
        [item.decision.refusal and item.decision.refusal.code for item in decided],
        [_first_sequence(item.decision) for item in decided],
        [_last_sequence(item.decision) for item in decided],
        [dump_requests(item.decision.requests) for item in decided],
        [item.partition for item in decided],
        [item.offset for item in decided],
        [bytes_ for _, bytes_, _ in facts],
        [from_ms(item.at_ms) for _, _, item in facts],
        [from_ms(item.at_ms) for item in decided],
    ]


def _first_sequence(decision: Decision) -> int:
    """The first fact's sequence; 1 with a last of 0 stands for none."""
    return decision.facts[0].sequence if decision.facts else 1


def _last_sequence(decision: Decision) -> int:
    return decision.facts[-1].sequence if decision.facts else 0


def dump_requests(requests: Sequence[Outgoing]) -> str:
    """The requests as JSON, in the form in which `operations` keeps them."""
    if not requests:
        return "[]"
    parts = (
        f'{{"request":{encode(item.request).decode()},'
        f'"not_before_ms":{json.dumps(item.not_before_ms)}}}'
        for item in requests
    )
    return f"[{','.join(parts)}]"


def _operation(row: Row) -> Operation:
    requests = tuple(
        Outgoing(OUTGOING.validate_python(item["request"]), item["not_before_ms"])
        for item in json.loads(row["requests"])
    )
    return Operation(
        command_id=row["command_id"],
        payment_id=row["payment_id"],
        partition=row["partition"],
        offset=row["offset"],
        first_sequence=row["first_sequence"],
        last_sequence=row["last_sequence"],
        requests=requests,
        refusal=row["refusal"],
        fingerprint=row["fingerprint"],
        request_id=row["request_id"],
        result=row["result"],
    )
