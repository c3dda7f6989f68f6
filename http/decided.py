"""A command that settle has decided, and how it is answered: the same bytes, however late."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from headgate.http.problems_of_payments import refusal_problem
from headgate.http.submission import Answer
from headgate.streams.bus import Position
from headgate.streams.clock import iso
from headgate.tables.created import created_answer_of
from headgate.tables.payments import Payment
from headgate.tables.postgres import Row
from headgate.tables.replies import Reply

STATUS_OF = {
    "payment.create": 201,
    "payment.refund": 201,
    "payment.capture": 200,
    "payment.cancel": 200,
    "payment.reverse": 200,
    "payment.increment": 200,
    "payment.authenticate": 200,
    "payment.resolve": 200,
    "payment.inquire": 200,
    "refund.cancel": 200,
}
"""With which status each command is answered that was not refused."""


@dataclass(frozen=True, slots=True)
class Decided:
    """One command and what was decided about it."""

    command_id: str
    merchant_id: str
    mode: str
    type: str
    payment_id: str
    fingerprint: str | None
    refusal: str | None
    position: str
    request_id: str | None = None
    result: bytes | None = None
    """What it led to, or why it was refused, in JSON; None for creates and for what no client
    asked."""
    payment: Payment | None = None
    """With creates, as it is now."""
    asked_at: str | None = None
    """The time on the log."""

    def answer(self) -> Answer | None:
        """What its client is answered; None where no client waits for an answer."""
        if self.result is None:
            return self._created()
        if self.refusal is None:
            return Answer(STATUS_OF[self.type], self.result, self.request_id or "")
        told = orjson.loads(self.result)
        problem = refusal_problem(told["code"], told["detail"], told["param"])
        body = orjson.dumps(problem.document(told["request_id"]))
        return Answer(problem.status, body, told["request_id"])

    def _created(self) -> Answer | None:
        if self.payment is None or self.type != "payment.create":
            return None
        body = created_answer_of(self.payment)
        return Answer(STATUS_OF[self.type], body, self.payment.request_id)


def of_row(row: Row, topic: str) -> Decided:
    """What PostgreSQL says; `topic` is where the command is on the log."""
    record = row["record"]
    return Decided(
        command_id=row["command_id"],
        merchant_id=row["merchant_id"],
        mode=row["mode"],
        type=row["type"],
        payment_id=row["payment_id"],
        fingerprint=row["fingerprint"],
        refusal=row["refusal"],
        position=str(Position(topic, row["partition"], row["offset"])),
        request_id=row["request_id"],
        result=row["result"],
        payment=Payment.model_validate_json(record) if record else None,
        asked_at=iso(round(row["created_at"].timestamp() * 1000)),
    )


def of_reply(reply: Reply, topic: str) -> Decided:
    """What settle told."""
    return Decided(
        command_id=reply.command_id,
        merchant_id=reply.merchant_id,
        mode=reply.mode,
        type=reply.type,
        payment_id=reply.payment_id,
        fingerprint=reply.fingerprint,
        refusal=reply.refusal,
        position=str(Position(topic, reply.partition, reply.offset)),
        request_id=reply.request_id,
        result=reply.result,
    )
