"""Edge processes of one namespace, a client for them, and a Redis that forgets on demand."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import redis.asyncio

from headgate.embedded import process
from headgate.tables.merchants import DEMO_SECRET, create, create_demo
from headgate.tables.postgres import Postgres
from tests.system.harness_place import Place, until
from tests.system.harness_workers import Workers

STARTS_WITHIN_S = 20.0
ENDS_WITHIN_S = 10.0
PAYMENTS = "/api/v1/payments"


@dataclass
class Edge:
    """A running edge and a client with the demo merchant's key."""

    place: Place
    process: asyncio.subprocess.Process
    client: httpx.AsyncClient
    log: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.client.base_url.port or 0

    async def create(
        self, key: str | None = None, *, amount: int = 500, order: str = "order_1"
    ) -> httpx.Response:
        """Ask for a payment."""
        headers = {} if key is None else {"Idempotency-Key": key}
        body = {"amount": amount, "order_id": order, "method": "upi", "vpa": "a@b"}
        return await self.client.post(PAYMENTS, json=body, headers=headers)

    async def get(self, path: str, **query: str) -> httpx.Response:
        """Read something."""
        return await self.client.get(path, params=query)

    async def checks(self) -> dict[str, str]:
        """What `/health/ready` says."""
        checks: dict[str, str] = (await self.get("/health/ready")).json()["checks"]
        return checks

    async def until_well(self, *names: str) -> None:
        """Wait until the edge calls these dependencies fine."""

        async def well() -> bool:
            checks = await self.checks()
            return all(checks[name] == "ok" for name in names)

        await until(well, STARTS_WITHIN_S, f"{names} fine{self.tail()}")

    def send(self, what: signal.Signals) -> None:
        """Signal the process."""
        process.send(self.process.pid, what)

    async def ended(self) -> int:
        """Its exit code, when it ends in time."""
        return await asyncio.wait_for(self.process.wait(), ENDS_WITHIN_S)

    def tail(self) -> str:
        """The end of its log, for the message of a failed test."""
        return "\n" + "\n".join(process.last_lines(self.log, 15))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def running_edge(place: Place, logs: Path, **environment: str) -> AsyncIterator[Edge]:
    """An edge that answers; with the demo merchant, unless PostgreSQL is away."""
    port = free_port()
    log = logs / f"{place.settings.namespace}-edge-{port}.log"
    given = {**place.environment, "HEADGATE_HTTP_PORT": str(port), **environment}
    child = await process.start([sys.executable, "-m", "headgate", "edge"], log, environment=given)
    headers = {"Authorization": f"Bearer {DEMO_SECRET}"}
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30
    ) as client:
        edge = Edge(place, child, client, log)
        try:
            await until(lambda: _answers(edge), STARTS_WITHIN_S, f"the edge answers {log}")
            yield edge
        finally:
            if child.returncode is None:
                edge.send(signal.SIGCONT)
                edge.send(signal.SIGTERM)
                await edge.ended()


async def _answers(edge: Edge) -> bool:
    try:
        return (await edge.get("/health/live")).status_code == 200
    except httpx.TransportError:
        assert edge.process.returncode is None, f"the edge ended{edge.tail()}"
        return False


@asynccontextmanager
async def settling(place: Place, logs: Path) -> AsyncIterator[None]:
    """One settle worker that owns everything."""
    workers = Workers(place, "settle", logs)
    try:
        await workers.start(0)
        await workers.until_only(0)
        yield
        await workers.stop()
    finally:
        workers.kill()


async def with_demo(place: Place) -> Place:
    """The place, with the demo merchant in it."""
    await create_demo(place.settings)
    return place


async def other_merchant(place: Place) -> dict[str, str]:
    """The credentials of a second merchant."""
    postgres = Postgres(place.settings)
    try:
        pair = await create(postgres, "Other", "other@example.com", "test")
    finally:
        await postgres.close()
    return {"Authorization": f"Bearer {pair.secret}"}


async def forget(place: Place) -> None:
    """What FLUSHALL does, to this namespace only: other tests share the server."""
    client = redis.asyncio.Redis.from_url(place.settings.redis)
    try:
        async for key in client.scan_iter(match=f"{place.settings.redis_prefix}*"):
            await client.delete(key)
    finally:
        await client.aclose()


async def outbox(place: Place) -> int:
    """How many commands wait in Redis for the log."""
    client = redis.asyncio.Redis.from_url(place.settings.redis)
    try:
        call: Any = client.hlen(f"{place.settings.redis_prefix}outbox")
        return int(await call)
    finally:
        await client.aclose()
