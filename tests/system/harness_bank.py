"""A shop on the whole real stack: it pays at the edge, and its other commands go onto the log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from headgate.embedded.stack import Stack
from headgate.streams import ids
from headgate.streams.bus import Bus, Record
from headgate.streams.clock import now_ms
from headgate.streams.codec import encode
from headgate.streams.commands import ClientCommand
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables import acting
from headgate.tables.payment import Payment
from tests.system.harness_commands import publishing
from tests.system.harness_edge import PAYMENTS
from tests.system.harness_place import until
from tests.system.harness_running import Running, running_system

KNOBS = "/api/v1/test/acquirer"
OLGA = "opr_olga"
"""Who runs Headgate."""


@dataclass(frozen=True)
class Shop:
    """The demo merchant."""

    running: Running
    bus: Bus

    async def pay(self, **members: Any) -> str:
        """Create a payment of 500.00; its id."""
        body = {"amount": 50_000, "order_id": "order_bank", **members}
        body["method"] = "card" if "card" in members else "upi"
        answer = await self.running.edge.client.post(PAYMENTS, json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def pay_with(self, number: str, **members: Any) -> str:
        """The same with a card."""
        return await self.pay(
            card={"number": number, "expiry_month": 12, "expiry_year": 2090, "cvv": "123"},
            **members,
        )

    async def ask(self, kind: type[ClientCommand], payment_id: str, **members: Any) -> None:
        """Put another command about the payment onto the log."""
        payment = await self.payment(payment_id)
        key = f"{kind.__name__}-{payment.version}"
        command = kind(
            command_id=ids.command_id(payment_id, kind.__name__, key),
            payment_id=payment_id,
            merchant_id=payment.merchant_id,
            mode=payment.mode,
            fingerprint="f",
            request_id="req_bank",
            **members,
        )
        settings = self.running.place.settings
        topic, key_bytes = PAYMENT_COMMANDS.full_name(settings), payment_id.encode()
        partition = ids.partition_of(payment_id, settings.partitions)
        await self.bus.publish_until_acked([Record(topic, partition, key_bytes, encode(command))])

    async def payment(self, payment_id: str) -> Payment:
        """The payment as settle left it."""
        rows = await self.running.place.rows(
            "select record::text from payments where id = $1", payment_id
        )
        assert rows, f"{payment_id} is not settled"
        return Payment.model_validate_json(rows[0]["record"])

    async def story(self, payment_id: str) -> list[str]:
        """Its facts, without the noun where it is the payment."""
        rows = await self.running.place.rows(
            "select type from facts where payment_id = $1 order by sequence", payment_id
        )
        return [row["type"].removeprefix("payment.") for row in rows]

    async def tells(self, payment_id: str, fact: str, within_s: float = 40) -> Payment:
        """The payment, once this fact has been told of it."""

        async def told() -> bool:
            return fact in await self.story(payment_id)

        await until(told, within_s, f"{fact} of {payment_id}")
        return await self.payment(payment_id)

    async def calls(self, payment_id: str) -> int:
        """How often the bank was called or asked about it."""
        return await self.running.place.number(
            "select count(*) from acquirer_attempts where payment_id = $1", payment_id
        )

    async def inquire(self, payment_id: str, reason: str) -> httpx.Response:
        """Have the bank asked now, as an operator does."""
        payment = await self.payment(payment_id)
        token = acting.mint(
            self.running.place.settings.secret_key, f"operator:{OLGA}", payment.merchant_id,
            payment.mode, ["operator"], now_ms(),
        )  # fmt: skip
        headers = {"Authorization": f"Bearer {token}"}
        path = f"{PAYMENTS}/{payment_id}/inquire"
        return await self.running.edge.client.post(path, json={"reason": reason}, headers=headers)

    async def set_bank(self, **knobs: Any) -> httpx.Response:
        """Turn the bank's knobs; none resets it."""
        client = self.running.edge.client
        answer = await (client.put(KNOBS, json=knobs) if knobs else client.delete(KNOBS))
        assert answer.status_code == 200, answer.text
        return answer


@asynccontextmanager
async def trading(stack: Stack, logs: Any) -> AsyncIterator[Shop]:
    """A shop and all of Headgate."""
    async with (
        running_system(stack, logs) as running,
        publishing(running.place.settings) as bus,
    ):
        yield Shop(running, bus)
