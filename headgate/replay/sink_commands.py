"""Steps as commands on the log of another namespace, around its edge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headgate.http.submission import record_of
from headgate.replay.bank_values import APPROVED, in_doubt
from headgate.replay.fresh_ids import FreshIds
from headgate.replay.sinks import ACCEPTED, OPEN_STATES, Outcome
from headgate.replay.steps import Step
from headgate.streams import ids
from headgate.streams.bus import Bus, Position, Record
from headgate.streams.clock import now_ms
from headgate.streams.coalesce import Coalescer
from headgate.streams.commands import CancelRefund, ClientCommand, CreatePayment, RefundPayment
from headgate.streams.errors import LogUnavailable
from headgate.streams.settings import Settings
from headgate.tables.payment import Payment
from headgate.tables.postgres import Postgres

BATCH_MAX = 500
"""Commands of one produce request."""


class CommandsSink:
    """The commands topic of the settings' namespace. The ack of the log is the answer (00 A3)."""

    def __init__(self, settings: Settings, bus: Bus, postgres: Postgres, fresh: FreshIds) -> None:
        self._settings = settings
        self._bus = bus
        self._postgres = postgres
        self._ids = fresh
        self._records: Coalescer[Record, Position] = Coalescer(self._publish, batch_max=BATCH_MAX)

    async def send(self, step: Step, shift_ms: int) -> Outcome:
        """Append the command."""
        command = fresh_command(step, self._ids.at(step.place.turn), shift_ms)
        try:
            await self._records.submit(record_of(self._settings, command, now_ms()))
        except LogUnavailable:
            return Outcome(0, "no_answer", again=True)
        made = command.payment_id if step.creates else ""  # A child may still be refused.
        return Outcome(ACCEPTED, "", made, command.payment_id)

    async def rests(self, step: Step) -> bool:
        """As PostgreSQL has the payment."""
        whose = (self.payment_of(step), self._ids.merchant_id, self._ids.mode)
        row = await self._postgres.fetch_row("payment", *whose)
        if row is None:
            return False
        payment = Payment.model_validate_json(row["record"])
        return payment.state not in OPEN_STATES and not any(c.is_reserved for c in payment.children)

    def payment_of(self, step: Step) -> str:
        """By derivation."""
        return self._ids.at(step.place.turn).payment(step.recorded)

    def plays_doubt(self, step: Step) -> bool:
        """By its scenario."""
        return step.creates and in_doubt(step.scenario or APPROVED)

    async def close(self) -> None:
        """Stop the producer."""
        await self._bus.stop()

    async def _publish(self, records: Sequence[Record]) -> Sequence[Position]:
        return await self._bus.publish(records)


def fresh_command(step: Step, fresh: FreshIds, shift_ms: int) -> ClientCommand:
    """The command as the edge of another merchant would have made it, in test mode, with the
    scenario said outright: behind the edge no card number is needed."""
    recorded, key = step.recorded, fresh.key(step.recorded)
    changed: dict[str, Any] = {
        "command_id": fresh.command(recorded),
        "payment_id": fresh.payment(recorded),
        "merchant_id": fresh.merchant_id,
        "mode": fresh.mode,
        "idempotency_key": key,
        "key_id": ids.key_id(fresh.merchant_id, fresh.mode, key),
        "actor": None,
        "reply_to": None,
    }
    if isinstance(recorded, CreatePayment):
        changed["scenario"] = step.scenario or APPROVED
        changed["capture_at_ms"] = _moved(recorded.capture_at_ms, shift_ms)
    elif isinstance(recorded, RefundPayment):
        changed["submit_at_ms"] = _moved(recorded.submit_at_ms, shift_ms)
    elif isinstance(recorded, CancelRefund):
        changed["refund_id"] = fresh.refund(recorded)
    return recorded.model_copy(update=changed)


def _moved(at_ms: int | None, shift_ms: int) -> int | None:
    return None if at_ms is None else at_ms + shift_ms
