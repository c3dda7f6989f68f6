"""Lives of payments as records of a source, for tests of what is replayed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from headgate.replay.decisions import Asked, operation_record
from headgate.replay.fold import folded
from headgate.replay.recorded import Recorded
from headgate.streams.codec import encode
from headgate.streams.commands import Command, RefundPayment
from tests.unit.builders import AT_MS, answer_to, asks, create

STEP_MS = 7
"""Between two commands."""


def command_record(command: Command, offset: int, partition: int = 0) -> Recorded:
    """A command as it stands on the log."""
    return Recorded(
        topic="payments.commands",
        partition=partition,
        offset=offset,
        at_ms=AT_MS + offset * STEP_MS,
        key=command.payment_id.encode(),
        value=encode(command),
        headers=(("v", b"1"),),
    )


def life(key: str = "key-1", first: int = 0, partition: int = 0) -> list[Recorded]:
    """Created, approved, refunded in part, and a refund that is refused."""
    payment = create(key)
    commands: list[Command] = [
        payment,
        answer_to(payment, "approved"),
        asks(RefundPayment, payment, amount=20_000),
        asks(RefundPayment, payment, "too-much", amount=90_000),
    ]
    return [command_record(one, first + n, partition) for n, one in enumerate(commands)]


def lives(payments: int, partitions: int) -> list[Recorded]:
    """The commands of many such payments, one life behind the other in each partition."""
    return [
        record
        for number in range(payments)
        for record in life(f"key-{number}", number // partitions * 4, number % partitions)
    ]


def recorded(commands: Iterable[Recorded], *, operations: bool = True) -> list[Recorded]:
    """A source: commands with what they came to when it was recorded."""
    commands = list(commands)
    made = folded(commands)
    found = list(commands)
    for record in commands:
        asked = Asked.of(record)
        if asked is None or (outcome := made.outcomes.get(asked.command_id)) is None:
            continue
        told = [made.facts[asked.payment_id][n] for n in outcome.sequences]
        found += [
            replace(record, topic="payments.facts", offset=100 * record.offset + n, value=value)
            for n, value in enumerate(told)
        ]
        found += [operation_record(asked, outcome)] if operations else []
    return found
