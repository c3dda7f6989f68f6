"""What is set on an endpoint is what its receiver gets: headers, signatures, tests."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from headgate.embedded.stack import Stack
from headgate.streams.signatures import verify
from tests.system.harness_place import until
from tests.system.harness_running import Running, running_system

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

ENDPOINTS = "/api/v1/webhook_endpoints"
WITHIN_S = 30.0


class Receiver:
    """Takes every request and says 200."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = [line.split(": ", 1) for line in head.split("\r\n")[1:] if line]
            headers = {name.lower(): value for name, value in lines}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        except asyncio.IncompleteReadError:
            writer.close()
            return
        self.got.append((headers, body))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    def of(self, event_id: str) -> list[tuple[dict[str, str], bytes]]:
        """What came of one event."""
        return [one for one in self.got if one[0].get("webhook-id") == event_id]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on this machine."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"
    async with server:
        yield receiver


async def asked(running: Running, method: str, path: str, status: int, **body: Any) -> Any:
    """The body of the answer, which has this status."""
    answer = await running.edge.client.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_receiver_gets_what_its_endpoint_asks_for(stack: Stack, tmp_path: Path) -> None:
    async with (
        receiving() as receiver,
        running_system(stack, tmp_path, HEADGATE_WEBHOOK_ALLOW_LOOPBACK="true") as running,
    ):
        wanted = {"url": receiver.url, "event_types": ["refund.*"], "headers": {"X-Tenant": "7"}}
        endpoint = await asked(running, "POST", ENDPOINTS, 201, **wanted, asymmetric=True)
        path = f"{ENDPOINTS}/{endpoint['id']}"
        rotated = await asked(running, "POST", f"{path}/rotate_secret", 201, overlap_s=3600)
        test = await asked(running, "POST", f"{path}/test", 202)

        async def arrived() -> bool:
            return bool(receiver.of(test["id"]))

        await until(arrived, WITHIN_S, "the test arrives")
        [(headers, body)] = receiver.of(test["id"])
        assert headers["x-tenant"] == "7"
        for secret in (endpoint["secret"], rotated["secret"]):
            verify(secret, headers, body, now=time.time())
        kinds = [one.split(",")[0] for one in headers["webhook-signature"].split(" ")]
        assert sorted(kinds) == ["v1", "v1", "v1a"]
        assert json.loads(body)["type"] == "webhook.test"

        async def told() -> bool:
            answer = await running.edge.get(f"/api/v1/webhook_deliveries/{test['delivery_id']}")
            return answer.status_code == 200 and answer.json()["status"] == "success"

        await until(told, WITHIN_S, "the delivery says that it arrived")
        await running.edge.create("not-asked-for")
        await asked(running, "PATCH", path, 200, event_types=["payment.*"])
        taken = (await running.edge.create("asked-for")).json()

        async def paid() -> bool:
            return any(taken["id"].encode() in body for _, body in receiver.got)

        await until(paid, WITHIN_S, "an event of the payment arrives")
        await asked(running, "DELETE", path, 200)
