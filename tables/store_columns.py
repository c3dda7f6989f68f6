"""The columns of the settle statement for clients' commands and for children."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.streams.clock import from_ms
from headgate.streams.commands import ClientCommand, CreatePayment
from headgate.tables.children import Child
from headgate.tables.decided import Decided
from headgate.tables.payment import Payment


def client_columns(decided: Sequence[Decided]) -> list[object]:
    """Who asked, under which key, and the answer: parameters $38 to $42. A create's key is its
    payment's id, and its request stands with the payment, so neither is stored twice."""
    asked = [
        command
        if isinstance(command, ClientCommand) and not isinstance(command, CreatePayment)
        else None
        for command in (item.command for item in decided)
    ]
    return [
        [item.command.mode for item in decided],
        [command and command.key_id for command in asked],
        [getattr(item.command, "actor", None) for item in decided],
        [command and command.request_id for command in asked],
        [item.result for item in decided],
    ]


def child_columns(decided: Sequence[Decided]) -> list[object]:
    """Each child in its last state: parameters $43 to $53."""
    last: dict[str, tuple[Child, Payment]] = {}
    for item in decided:
        payment = item.decision.payment
        if payment is not None:
            last |= {child.id: (child, payment) for child in item.decision.children}
    rows = list(last.values())
    return [
        [child.id for child, _ in rows],
        [payment.id for _, payment in rows],
        [payment.merchant_id for _, payment in rows],
        [payment.mode for _, payment in rows],
        [child.kind for child, _ in rows],
        [child.state for child, _ in rows],
        [child.amount for child, _ in rows],
        [payment.currency for _, payment in rows],
        [from_ms(child.created_at_ms) for child, _ in rows],
        [from_ms(payment.updated_at_ms) for _, payment in rows],
        [child.snapshot(payment.owner).model_dump_json() for child, payment in rows],
    ]
