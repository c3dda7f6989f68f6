"""Payments that have lived: captured, refunded, refused, failed; as commands of one merchant."""

from __future__ import annotations

from dataclasses import dataclass, field

from headgate.streams import ids
from headgate.streams.bus import Bus, Record
from headgate.streams.codec import encode
from headgate.streams.commands import (
    AcquirerAnswer,
    BankCall,
    CapturePayment,
    Command,
    CreatePayment,
    Outcome,
    RefundPayment,
)
from headgate.streams.topics import PAYMENT_COMMANDS
from tests.system.harness_place import Place, until

ACTOR = "key_test_abc123"


@dataclass
class Shop:
    """One merchant's commands, in the order in which they are published."""

    place: Place
    merchant_id: str
    commands: list[Command] = field(default_factory=list)
    at_ms: dict[str, int] = field(default_factory=dict)

    def create(
        self, number: int, *, outcome: Outcome = "approved", manual: bool = False, **more: object
    ) -> str:
        """A payment and the bank's answer to it; its id."""
        key = f"{self.merchant_id}-{number}"
        payment_id = ids.payment_id(self.merchant_id, "test", key)
        create = CreatePayment.model_validate(
            {
                "command_id": ids.command_id(payment_id, "create", key),
                "payment_id": payment_id,
                "merchant_id": self.merchant_id,
                "mode": "test",
                "fingerprint": "f",
                "idempotency_key": key,
                "request_id": f"req_{number}",
                "actor": ACTOR,
                "amount": 1000 + number,
                "currency": "EUR",
                "method": "upi",
                "order_id": f"order-{number}",
                "vpa": "success@upi",
                "capture_method": "manual" if manual else "automatic",
                **more,
            }
        )
        self.commands.append(create)
        attempt = ids.attempt_id(create.command_id, 1)
        self._answer(payment_id, attempt, "authorize", create.amount, outcome)
        return payment_id

    def capture(self, payment_id: str, amount: int) -> str:
        """A capture of a part, done by the bank; its id."""
        command = CapturePayment(**self._asked(payment_id, "capture", str(amount)), amount=amount)
        self.commands.append(command)
        return self._child(command, "capture", amount)

    def refund(self, payment_id: str, amount: int, outcome: Outcome | None = "approved") -> str:
        """A refund and, unless it is None, the bank's answer; its id."""
        command = RefundPayment(**self._asked(payment_id, "refund", str(amount)), amount=amount)
        self.commands.append(command)
        return self._child(command, "refund", amount, outcome)

    async def settle(self, bus: Bus) -> None:
        """Publish what has gathered and wait until it is decided."""
        commands, self.commands = self.commands, []
        await bus.publish_until_acked([self._record(command) for command in commands])
        wanted = [command.command_id for command in commands]

        async def decided() -> bool:
            sql = "select count(*) from operations where command_id = any($1::text[])"
            return await self.place.number(sql, wanted) == len(wanted)

        await until(decided, 30, f"{len(wanted)} commands decided")

    def _asked(self, payment_id: str, operation: str, key: str) -> dict[str, object]:
        return {
            "command_id": ids.command_id(payment_id, operation, key),
            "payment_id": payment_id,
            "merchant_id": self.merchant_id,
            "mode": "test",
            "fingerprint": "f",
            "idempotency_key": key,
            "request_id": f"req_{operation}_{key}",
            "actor": ACTOR,
        }

    def _child(
        self, command: CapturePayment | RefundPayment, kind: BankCall, amount: int,
        outcome: Outcome | None = "approved",
    ) -> str:  # fmt: skip
        child_id = ids.child_id(kind, command.command_id)
        if outcome is not None:
            attempt = ids.attempt_id(child_id, 1)
            self._answer(command.payment_id, attempt, kind, amount, outcome)
        return child_id

    def _answer(
        self, payment_id: str, attempt: str, operation: BankCall, amount: int, outcome: Outcome
    ) -> None:
        self.commands.append(
            AcquirerAnswer(
                command_id=ids.command_id(payment_id, operation, f"{attempt}:0"),
                payment_id=payment_id,
                merchant_id=self.merchant_id,
                mode="test",
                attempt_id=attempt,
                operation=operation,
                outcome=outcome,
                amount=amount,
                reference=f"sim_{attempt[4:16]}",
                decline_code="do_not_honor" if outcome == "declined" else None,
            )
        )

    def _record(self, command: Command) -> Record:
        settings = self.place.settings
        return Record(
            PAYMENT_COMMANDS.full_name(settings),
            ids.partition_of(command.payment_id, settings.partitions),
            command.payment_id.encode(),
            encode(command),
        )
