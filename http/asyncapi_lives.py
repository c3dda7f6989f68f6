"""A payment's life, played at once: for examples that are really written so."""

from __future__ import annotations

from typing import Any

from headgate.streams import ids
from headgate.streams.commands import (
    COMMAND,
    AcquirerAnswer,
    AcquirerRequest,
    ClientCommand,
    Command,
    CreatePayment,
    Outcome,
    Timer,
    TimerKind,
)
from headgate.streams.facts import Fact
from headgate.tables.payment import Payment
from headgate.tables.payments import decide

AT_MS = 1_795_450_029_123
"""2026-11-23T16:07:09.123Z, when every example begins."""
STEP_MS = 1000
"""Between two things that happen."""
MERCHANT = "mer_example"
LOOKS = 10
"""After so many answers that say nothing a person has to look."""
_KEPT = {"payment_id", "merchant_id", "mode", "attempt_id", "look", "amount"}
"""Members of a call that its answer repeats."""


class Life:
    """A payment, and the facts that were told of it."""

    def __init__(self, key: str, **members: Any) -> None:
        self.facts: list[Fact] = []
        self._key, self._at_ms = key, AT_MS
        self._payment: Payment | None = None
        self._asked: list[AcquirerRequest] = []
        self._id = ids.payment_id(MERCHANT, "test", key)
        said = {"amount": 50_000, "currency": "INR", "method": "upi", "vpa": "user@paytm"}
        self.ask(CreatePayment, order_id=f"order-{key}", **said | members)

    def ask(self, command: type[ClientCommand], **members: Any) -> Life:
        """The merchant asks for something."""
        kind, key = command.model_fields["type"].default, f"{self._key}-{len(self.facts)}"
        return self._told(
            COMMAND.validate_python(
                {
                    "type": kind,
                    "command_id": ids.command_id(self._id, kind, key),
                    "payment_id": self._id,
                    "merchant_id": MERCHANT,
                    "mode": "test",
                    "fingerprint": "0" * 64,
                    "idempotency_key": key,
                    "request_id": f"req_{key}",
                    **members,
                }
            )
        )

    def bank(self, outcome: Outcome, **members: Any) -> Life:
        """The bank answers what it was asked last."""
        asked = self._asked[-1]
        known_by = f"{asked.attempt_id}:{asked.look}"
        return self._told(
            AcquirerAnswer.model_validate(
                {
                    "command_id": ids.command_id(self._id, asked.type, known_by),
                    **asked.model_dump(include=_KEPT),
                    "operation": asked.type,
                    "outcome": outcome,
                    "reference": f"bank-{self._key}" if outcome == "approved" else None,
                    **members,
                }
            )
        )

    def doubt(self) -> Life:
        """The bank answers nothing, however often it is asked."""
        for _ in range(LOOKS):
            self.bank("unknown")
        return self

    def time(self, timer: TimerKind, after_ms: int) -> Life:
        """A time is over."""
        self._at_ms += after_ms
        named = {"payment_id": self._id, "merchant_id": MERCHANT, "mode": "test", "timer": timer}
        command_id = ids.command_id(self._id, f"timer.{timer}", str(len(self.facts)))
        return self._told(Timer.model_validate({"command_id": command_id, **named}))

    def _told(self, command: Command) -> Life:
        decision = decide(self._payment, command, self._at_ms)
        self._payment = decision.payment
        self._at_ms += STEP_MS
        self.facts += decision.facts
        requests = [one.request for one in decision.requests]
        self._asked += [one for one in requests if isinstance(one, AcquirerRequest)]
        return self
