"""Operational events on real parts: a test arrives, and what fails for too long is disabled."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from headgate.embedded.ports import free
from headgate.embedded.stack import Stack
from headgate.streams import ids
from headgate.streams.bus import Bus
from headgate.streams.clock import now_ms
from headgate.streams.engine.metrics_port import PORT_OF_ROLE
from headgate.streams.operational_events import EndpointNamed, webhook_test
from headgate.streams.secrets import SecretBox, draw_webhook_secret
from headgate.streams.signatures import verify
from headgate.tables import merchants
from headgate.tables.postgres import Postgres, statements
from tests.system.harness_notified import told
from tests.system.harness_place import Place, opened, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

RULES = {
    "HEADGATE_WEBHOOK_DISABLE_AFTER_S": "1",
    "HEADGATE_WEBHOOK_DISABLE_ATTEMPTS_MIN": "3",
    "WEBHOOK_RETRY_INTERVALS_TEST": "true",
}
"""Two failures at once and one after five seconds disable an endpoint."""


@dataclass
class Receiver:
    """A merchant's server: `/deaf` answers 500, everything else is taken."""

    secret: str
    port: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                pairs = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:-2])
                headers = {name.lower(): value for name, value in pairs}
                body = await reader.readexactly(int(headers["content-length"]))
                deaf = head.startswith(b"POST /deaf")
                if deaf:
                    self.refused += 1
                else:
                    verify(self.secret, headers, body, now=time.time())
                    self.bodies.append(json.loads(body))
                writer.write(
                    b"HTTP/1.1 %d Said\r\ncontent-length: 0\r\n\r\n" % (500 if deaf else 200)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def types(self) -> list[str]:
        return [body["type"] for body in self.bodies]


class Shop:
    """A merchant with a server, and one notify worker."""

    def __init__(self, place: Place, receiver: Receiver, metrics_port: int) -> None:
        self.place = place
        self.receiver = receiver
        self.metrics_port = metrics_port
        self.merchant_id = ""
        self._postgres = Postgres(place.settings)
        self._bus = Bus.of(place.settings, "shop")

    async def open(self) -> None:
        await self._bus.start()
        pair = await merchants.create(self._postgres, "Shop", "shop@example.com", "test")
        self.merchant_id = pair.merchant_id

    async def close(self) -> None:
        await self._bus.stop()
        await self._postgres.close()

    async def add_endpoint(self, path: str, *types: str) -> EndpointNamed:
        endpoint_id = ids.draw_id("ep_")
        url = f"http://127.0.0.1:{self.receiver.port}{path}"
        sealed = SecretBox(self.place.settings.secret_key).seal(self.receiver.secret)
        async with self._postgres.connection() as connection, connection.transaction():
            await connection.execute(
                "insert into webhook_endpoints(id, merchant_id, mode, url, sealed_secret,"
                " event_types) values($1, $2, 'test', $3, $4, $5)",
                *(endpoint_id, self.merchant_id, url, sealed, list(types)),
            )
            await connection.execute(statements()["bump_configuration"])
        return EndpointNamed(id=endpoint_id, merchant_id=self.merchant_id)

    async def test(self, endpoint: EndpointNamed, key: str) -> str:
        """Ask for a test, as the edge does; the event's id."""
        event = webhook_test(endpoint, "test", key, now_ms())
        await self._bus.publish([event.record(self.place.settings)])
        return event.event_id

    async def pay(self, count: int) -> None:
        """Facts of so many successful payments."""
        facts = [told(self.place.settings, self.merchant_id, number) for number in range(count)]
        await self._bus.publish(facts)

    async def metrics(self) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.metrics_port)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return answer.decode()


@asynccontextmanager
async def shop_on(stack: Stack) -> AsyncIterator[Shop]:
    """A shop in a namespace of its own, with its worker."""
    receiver, port = Receiver(draw_webhook_secret()), next(free())
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with opened(stack, **RULES) as place:
        shop = Shop(place, receiver, port + PORT_OF_ROLE["notify"])
        await shop.open()
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "headgate", "worker", "notify"),
            env={**os.environ, **place.environment, "HEADGATE_WORKER_METRICS_PORT": str(port)},
        )
        try:
            yield shop
        finally:
            worker.kill()
            await worker.wait()
            await shop.close()
            server.close()


async def test_a_test_arrives_and_an_endpoint_that_fails_for_long_is_disabled_and_told_of(
    stack: Stack,
) -> None:
    async with shop_on(stack) as shop:
        receiver = shop.receiver
        ops = await shop.add_endpoint("/ops", "webhook_endpoint.*", "delivery.exhausted")
        tested = [await shop.test(ops, key) for key in ("key-1", "key-1", "key-2")]

        async def arrived() -> bool:
            return len(receiver.bodies) >= 2

        await until(arrived, 60, "the tests have arrived")
        assert {body["id"] for body in receiver.bodies} == set(tested)
        assert set(receiver.types()) == {"webhook.test"}

        deaf = await shop.add_endpoint("/deaf", "payment.success")
        await shop.pay(2)

        async def disabled() -> bool:
            return "webhook_endpoint.disabled" in receiver.types()

        await until(disabled, 60, "the merchant was told that the endpoint is disabled")
        told_of = receiver.bodies[receiver.types().index("webhook_endpoint.disabled")]
        assert (told_of["data"]["endpoint"]["id"], told_of["data"]["reason"]) == (
            *(deaf.id, "failing"),
        )
        enabled = "select count(*) from webhook_endpoints where enabled and id = $1"
        assert await shop.place.number(enabled, deaf.id) == 0
        text = await shop.metrics()
        assert "headgate_webhook_endpoints_disabled_total 1.0" in text
        assert 'headgate_worker_records_total{topic="webhooks.events"}' in text
        assert 'headgate_delay_head_overdue_seconds{tier="5s"}' in text
