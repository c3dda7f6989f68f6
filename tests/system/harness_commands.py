"""Payments for scenarios: real commands, and producers that keep a steady pace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from headgate.streams import ids
from headgate.streams.bus import Bus, Record
from headgate.streams.codec import encode
from headgate.streams.commands import AcquirerAnswer, CreatePayment
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS

MERCHANT = "mer_chaos"
TICK_S = 0.02


def create(number: int, merchant_id: str = MERCHANT) -> CreatePayment:
    """The command that creates the payment of this number."""
    key = f"key-{number}"
    payment_id = ids.payment_id(merchant_id, "test", key)
    return CreatePayment(
        command_id=ids.command_id(payment_id, "create", key),
        payment_id=payment_id,
        merchant_id=merchant_id,
        mode="test",
        fingerprint="f",
        idempotency_key=key,
        request_id=f"req_{number}",
        amount=1000 + number,
        currency="EUR",
        method="upi",
        order_id=f"order-{number}",
        vpa="success@upi",
    )


def approval(number: int, look: int = 0, merchant_id: str = MERCHANT) -> AcquirerAnswer:
    """The bank's approval of the first attempt at the payment of this number."""
    command = create(number, merchant_id)
    attempt = ids.attempt_id(command.command_id, 1)
    return AcquirerAnswer(
        command_id=ids.command_id(command.payment_id, "authorize", f"{attempt}:{look}"),
        payment_id=command.payment_id,
        merchant_id=command.merchant_id,
        mode=command.mode,
        attempt_id=attempt,
        operation="authorize",
        look=look,
        outcome="approved",
        amount=command.amount,
        reference=f"sim_{attempt[4:16]}",
    )


def on_commands(settings: Settings, command: CreatePayment | AcquirerAnswer) -> Record:
    """The command as a record of `payments.commands`."""
    return Record(
        PAYMENT_COMMANDS.full_name(settings),
        ids.partition_of(command.payment_id, settings.partitions),
        command.payment_id.encode(),
        encode(command),
    )


@asynccontextmanager
async def publishing(settings: Settings) -> AsyncIterator[Bus]:
    """A bus of this namespace."""
    bus = Bus.of(settings, "chaos")
    await bus.start()
    try:
        yield bus
    finally:
        await bus.stop()


async def paced(
    bus: Bus, records_of: Callable[[int], list[Record]], rate: float, count: int
) -> None:
    """Publish the records of the numbers below `count`, `rate` numbers per second, each acked."""
    began, sent = time.monotonic(), 0
    while sent < count:
        due = min(count, int((time.monotonic() - began) * rate) + 1)
        records = [record for number in range(sent, due) for record in records_of(number)]
        if records:
            await bus.publish_until_acked(records)
        sent = due
        await asyncio.sleep(TICK_S)
