"""A shop that was written for the seed: its requests, its webhook receiver, nothing of Headgate."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

API = "/api/v1"
CREDENTIALS = {"X-Api-Key": "key_test_abc123", "X-Api-Secret": "secret_test_xyz789"}
PATIENCE_S = 20.0
POLL_S = 0.1

Json = dict[str, Any]


async def until(condition: Callable[[], Awaitable[Any]], what: str) -> Any:
    """What the condition returns, as soon as that is true."""
    end = time.monotonic() + PATIENCE_S
    while not (found := await condition()):
        assert time.monotonic() < end, f"within {PATIENCE_S:g} s it did not come to: {what}"
        await asyncio.sleep(POLL_S)
    return found


@dataclass(frozen=True)
class Client:
    """One merchant of the gateway at a base URL."""

    http: httpx.AsyncClient

    async def create(self, *, key: str | None = None, **members: Any) -> httpx.Response:
        """`POST /payments` with the seed's body; a member that is None is left out."""
        body = {"amount": 50000, "currency": "INR", "method": "upi", "vpa": "user@paytm"}
        body["order_id"] = f"order_{secrets.token_hex(6)}"
        body |= members
        body = {name: value for name, value in body.items() if value is not None}
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.http.post(f"{API}/payments", json=body, headers=headers)

    async def capture(self, payment_id: str, amount: Any = 50000) -> httpx.Response:
        """`POST /payments/:id/capture`."""
        return await self.http.post(f"{API}/payments/{payment_id}/capture", json={"amount": amount})

    async def refund(
        self, payment_id: str, amount: Any = 50000, *, key: str | None = None, **members: Any
    ) -> httpx.Response:
        """`POST /payments/:id/refunds`."""
        headers = {} if key is None else {"Idempotency-Key": key}
        body = {"amount": amount, **members}
        return await self.http.post(
            f"{API}/payments/{payment_id}/refunds", json=body, headers=headers
        )

    async def get(self, path: str, **query: Any) -> httpx.Response:
        """Read something."""
        return await self.http.get(f"{API}{path}", params=query)

    async def retry(self, webhook_id: str) -> httpx.Response:
        """`POST /webhooks/:id/retry`, without a body, as the seed's dashboard sends it."""
        return await self.http.post(f"{API}/webhooks/{webhook_id}/retry")

    async def settings(self, **members: Any) -> httpx.Response:
        """`PUT /webhooks/settings`."""
        return await self.http.put(f"{API}/webhooks/settings", json=members)

    async def logs(self, payment_id: str) -> list[Json]:
        """The webhook log's rows about a payment."""
        listed = (await self.get("/webhooks", limit=100)).json()["data"]
        return [row for row in listed if payment_id in json.dumps(row["payload"])]

    async def ended(self, payment_id: str) -> Json:
        """The payment, when it has succeeded or failed."""

        async def over() -> Json | None:
            payment: Json = (await self.get(f"/payments/{payment_id}")).json()
            return payment if payment["status"] in ("success", "failed") else None

        ended: Json = await until(over, f"the end of {payment_id}")
        return ended

    async def paid(self, **members: Any) -> str:
        """The id of a new payment that has succeeded."""
        created = await self.create(**members)
        assert created.status_code == 201, created.text
        payment_id = str(created.json()["id"])
        ended = await self.ended(payment_id)
        assert ended["status"] == "success", ended
        return payment_id

    async def processed(self, refund_id: str) -> Json:
        """The refund, when it has been processed."""

        async def over() -> Json | None:
            refund: Json = (await self.get(f"/refunds/{refund_id}")).json()
            return refund if refund["status"] == "processed" else None

        refund: Json = await until(over, f"the end of {refund_id}")
        return refund


@asynccontextmanager
async def client_of(url: str, credentials: dict[str, str]) -> AsyncIterator[Client]:
    """A client with these credentials."""
    async with httpx.AsyncClient(base_url=url, headers=credentials, timeout=30) as http:
        yield Client(http)


@dataclass(frozen=True)
class Hook:
    """One webhook as it arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Json:
        """The body, parsed."""
        event: Json = json.loads(self.body)
        return event

    def signed_with(self, secret: str) -> bool:
        """The check that the seed's documentation shows."""
        expected = hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(self.headers["x-webhook-signature"], expected)


@dataclass
class Receiver:
    """The shop's webhook endpoint. `refuse` says of which orders it answers 500, how often."""

    url: str = ""
    hooks: list[Hook] = field(default_factory=list)
    refuse: dict[str, int] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one webhook, answer it, close."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            pairs = [line.split(": ", 1) for line in head.split("\r\n")[1:] if line]
            headers = {name.lower(): value for name, value in pairs}
            body = await reader.readexactly(int(headers["content-length"]))
        except asyncio.IncompleteReadError:
            return
        self.hooks.append(Hook(headers, body))
        status = "500 Broken" if self._refuses(body) else "200 OK"
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".encode()
        )
        await writer.drain()
        writer.close()

    def _refuses(self, body: bytes) -> bool:
        for order, times in self.refuse.items():
            if order.encode() in body and times > 0:
                self.refuse[order] -= 1
                return True
        return False

    def about(self, *words: str) -> list[Hook]:
        """The webhooks whose body holds all of these words: an event, an id."""
        raw = [word.encode() for word in words]
        return [hook for hook in self.hooks if all(word in hook.body for word in raw)]

    async def told(self, *words: str, times: int = 1) -> list[Hook]:
        """The webhooks about this, when there are so many."""

        async def arrived() -> list[Hook] | None:
            found = self.about(*words)
            return found if len(found) >= times else None

        hooks: list[Hook] = await until(arrived, f"{times} webhooks about {words}")
        return hooks


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on this machine for as long as the block runs."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/webhooks"
    try:
        yield receiver
    finally:
        server.close()
