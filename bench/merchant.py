"""A merchant who pays: requests as its server would send them, and its webhook receiver."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.client import Connection, request_bytes
from bench.system import System
from headgate.streams.secrets import draw_webhook_secret

KNOWN_WITHIN_S = 15
"""How long the edge may take to know a new merchant (it refreshes within a second)."""


@dataclass(frozen=True)
class Receiver:
    """The sink, in a process of its own so that its CPU can be told apart."""

    pid: int
    port: int

    async def ask(self, what: str) -> dict[str, int]:
        """`stats`, `seen` or `arrivals`; `shut` and `open` move the gate, and tell `stats`."""
        connection = Connection("127.0.0.1", self.port)
        try:
            answer = await connection.ask(request_bytes("GET", f"/{what}", "sink", {}))
        finally:
            connection.close()
        told: dict[str, int] = json.loads(answer.body)
        return told


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A sink for as long as the block runs."""
    sink = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.sink", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert sink.stdout is not None  # noqa: S101  we asked for a pipe
        port = int(await asyncio.wait_for(sink.stdout.readline(), 20))
        yield Receiver(sink.pid, port)
    finally:
        sink.kill()
        await sink.wait()


@dataclass(frozen=True)
class Merchant:
    """Knows its keys; names its orders PREFIX-NUMBER, and its idempotency keys alike."""

    headers: dict[str, str]
    host: str
    port: int

    def payment(self, prefix: str, number: int) -> bytes:
        """The request that creates the payment of this number: the seed's body and headers."""
        body = {
            "amount": 1000 + number % 1000,
            "currency": "INR",
            "method": "upi",
            "vpa": "user@paytm",
            "order_id": f"{prefix}-{number}",
        }
        headers = {**self.headers, "Idempotency-Key": f"{prefix}-{number}"}
        return self._request("POST", "/api/v1/payments", headers, body)

    def refund(self, payment_id: str, key: str) -> bytes:
        """The request that gives all of a payment back."""
        headers = {**self.headers, "Idempotency-Key": key}
        path = f"/api/v1/payments/{payment_id}/refunds"
        return self._request("POST", path, headers, {"full": True})

    def _request(
        self, method: str, path: str, headers: dict[str, str], body: Mapping[str, object]
    ) -> bytes:
        host = f"{self.host}:{self.port}"
        return request_bytes(method, path, host, headers, json.dumps(body).encode())

    async def subscribe(self, url: str) -> None:
        """Have webhooks sent there; waits until the edge knows this merchant."""
        settings = {"webhookUrl": url, "webhookSecret": draw_webhook_secret()}
        request = self._request("PUT", "/api/v1/webhooks/settings", self.headers, settings)
        connection = Connection(self.host, self.port)
        end = time.monotonic() + KNOWN_WITHIN_S
        while (answer := await connection.ask(request)).status != 200:
            if time.monotonic() > end:
                raise RuntimeError(f"webhook settings: {answer.status} {answer.body!r}")
            await asyncio.sleep(0.2)
        connection.close()


async def new_merchant(system: System) -> Merchant:
    """A merchant that nobody else uses."""
    pair = await system.create_merchant()
    headers = {
        "Content-Type": "application/json",
        "X-Api-Key": pair.key,
        "X-Api-Secret": pair.secret,
    }
    host, port = system.edge
    return Merchant(headers, host, port)
