"""Recorded commands and answers for tests of replays, a source of them, and a sink that answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

from headgate.replay.fresh_ids import FreshIds
from headgate.replay.recorded import Recorded
from headgate.replay.sinks import Outcome
from headgate.replay.steps import Step
from headgate.streams import ids
from headgate.streams.codec import encode
from headgate.streams.commands import (
    AcquirerAnswer,
    CancelRefund,
    CapturePayment,
    ClientCommand,
    CommandBase,
    CreatePayment,
    RefundPayment,
)

MERCHANT = "mer_old"
BEGAN_MS = 1_780_000_000_000


def base(payment: str, operation: str, key: str) -> dict[str, Any]:
    """What every command carries."""
    return {
        "command_id": ids.command_id(payment, operation, key),
        "payment_id": payment,
        "merchant_id": MERCHANT,
        "mode": "test",
    }


def client(payment: str, operation: str, key: str) -> dict[str, Any]:
    """What every command of a client carries."""
    said = {"fingerprint": "f", "idempotency_key": key, "request_id": "req_1"}
    return base(payment, operation, key) | said


def create(number: int, **members: Any) -> CreatePayment:
    """A payment by UPI, unless something else is said."""
    payment = ids.payment_id(MERCHANT, "test", f"key-{number}")
    said = {"amount": 5000, "currency": "INR", "method": "upi", "order_id": f"order-{number}"}
    return CreatePayment(
        **client(payment, "payment.create", f"key-{number}"), **{**said, **members}
    )


def capture(of: CreatePayment, **members: Any) -> CapturePayment:
    """All of it, unless something else is said."""
    return CapturePayment(**client(of.payment_id, "payment.capture", "capture"), **members)


def refund(of: CreatePayment, key: str = "refund", **members: Any) -> RefundPayment:
    """All of it, unless something else is said."""
    return RefundPayment(**client(of.payment_id, "payment.refund", key), **members)


def cancel_refund(of: RefundPayment) -> CancelRefund:
    """Its refund is taken back."""
    child = ids.child_id("refund", of.command_id)
    return CancelRefund(**client(of.payment_id, "refund.cancel", "no"), refund_id=child)


def answer(of: ClientCommand, outcome: str, **members: Any) -> AcquirerAnswer:
    """The bank's word about a payment, unless it is about something else."""
    said = {"operation": "authorize", "amount": 5000, "attempt_id": "att_1", "outcome": outcome}
    key = str(sorted(members.items()))
    return AcquirerAnswer(**base(of.payment_id, "answer", f"{outcome}{key}"), **{**said, **members})


@dataclass
class Records:
    """A source: one partition, a record every so often."""

    commands: Sequence[CommandBase]
    every_ms: int = 1000
    times_read: int = 0
    open: int = 0
    """Readings that are not closed."""

    async def records(self) -> AsyncGenerator[Recorded, None]:
        """All of them."""
        self.times_read += 1
        self.open += 1
        try:
            for offset, command in enumerate(self.commands):
                yield self._record(offset, command)
        finally:
            self.open -= 1

    def _record(self, offset: int, command: CommandBase) -> Recorded:
        return Recorded(
            topic="payments.commands",
            partition=0,
            offset=offset,
            at_ms=BEGAN_MS + offset * self.every_ms,
            key=command.payment_id.encode(),
            value=encode(command),
            headers=(("v", b"1"),),
        )

    async def count(self) -> int | None:
        """How many."""
        return len(self.commands)


@dataclass
class Edge:
    """A sink that answers as it was told, in the order of asking."""

    fresh: FreshIds = field(default_factory=lambda: FreshIds("run_a", "mer_new"))
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    """What the steps of an operation are answered, one after the other; then 201."""
    takes_s: float = 0.0
    asked: list[Step] = field(default_factory=list)
    shifts: list[int] = field(default_factory=list)
    looks_until_rest: int = 0
    looks: Counter[str] = field(default_factory=Counter)
    at_once: int = 0
    most_at_once: int = 0
    closed: bool = False

    async def send(self, step: Step, shift_ms: int) -> Outcome:
        """Take it."""
        self.asked.append(step)
        self.shifts.append(shift_ms)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.takes_s)
        self.at_once -= 1
        told = self.outcomes.get(step.recorded.model_dump()["type"])
        if told:
            return told.pop(0)
        made = self.payment_of(step) if step.creates else f"made_{self.fresh.key(step.recorded)}"
        return Outcome(201, "", made, self.payment_of(step))

    async def rests(self, step: Step) -> bool:
        """After some looks."""
        self.looks[step.payment] += 1
        return self.looks[step.payment] > self.looks_until_rest

    def payment_of(self, step: Step) -> str:
        """The new one."""
        return self.fresh.payment(step.recorded)

    def plays_doubt(self, step: Step) -> bool:
        """Where the scenario is a time out."""
        return step.scenario == "timeout"

    async def close(self) -> None:
        """Remember it."""
        self.closed = True
