"""Merchants with a webhook endpoint each, and a notify worker that serves them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.facts import Facts
from bench.merchant import Receiver, receiving
from bench.processes import cpu_s, family_of, machine_cpu_s
from bench.system import walkable_folder
from headgate.embedded import process
from headgate.embedded.stack import Stack
from headgate.streams import ids
from headgate.streams.bus import Bus
from headgate.streams.declare import declare
from headgate.streams.secrets import SecretBox, draw_webhook_secret
from headgate.streams.settings import Settings
from headgate.tables import merchants
from headgate.tables.migrate import migrate
from headgate.tables.postgres import Postgres, statements

POLL_S = 0.2
READY_WITHIN_S = 60.0
SERVERS = ("kafka", "postgres")


@dataclass(frozen=True)
class Notifying:
    """One notify worker with its servers, its receivers, and a way to write facts."""

    settings: Settings
    stack: Stack
    postgres: Postgres
    bus: Bus
    worker: int
    """Process id."""
    sink: Receiver
    """Where well-behaved endpoints are."""
    trouble: Receiver
    """Where the others are, in a process of their own."""

    async def shop(self, url: str) -> Facts:
        """A merchant whose payments are told to `url`."""
        name = ids.draw_id("shop_")
        pair = await merchants.create(self.postgres, name, f"{name}@example.com", "test")
        sealed = SecretBox(self.settings.secret_key).seal(draw_webhook_secret())
        async with merchants.changing(self.postgres) as connection:
            await connection.execute(
                statements()["set_default_endpoint"],
                *(ids.draw_id("ep_"), pair.merchant_id, "test", url, sealed, ["payment.success"]),
            )
        return Facts(self.settings, pair.merchant_id)

    def cpu(self) -> dict[str, float]:
        """CPU seconds used so far."""
        used = {name: cpu_s(family_of(self.stack.pid(name))) for name in SERVERS}
        return used | {
            "notify": cpu_s(family_of(self.worker)),
            "receivers": cpu_s([self.sink.pid, self.trouble.pid]),
            "bench": cpu_s([os.getpid()]),
            "machine": machine_cpu_s(),
        }

    async def owned(self) -> bool:
        """Whether the worker has claimed all that it reads."""
        async with self.postgres.connection() as connection:
            claimed = await connection.fetchval("select count(*) from claims")
        return int(claimed) >= 3 * self.settings.partitions

    async def shown(self, status: str = "success") -> int:
        """Deliveries of this status in PostgreSQL."""
        sql = "select count(*) from webhook_deliveries where status = $1"
        async with self.postgres.connection() as connection:
            return int(await connection.fetchval(sql, status))


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again until the condition holds; the caller bounds the time."""
    while not await condition():  # noqa: ASYNC110
        await asyncio.sleep(POLL_S)


@asynccontextmanager
async def notifying() -> AsyncIterator[Notifying]:
    """Servers, worker and receivers of our own, gone afterwards. Settings in the environment
    apply, except those that say where things are."""
    stack = Stack(walkable_folder())
    log = stack.state_dir / "notify.log"
    try:
        await asyncio.to_thread(stack.up, os.getpid())
        async with (
            _connected(stack) as (settings, postgres, bus),
            receiving() as sink,
            receiving() as trouble,
            _working(log, {**os.environ, **stack.environment()}) as worker,
        ):
            place = Notifying(settings, stack, postgres, bus, worker, sink, trouble)
            await _until_owned(place, log)
            yield place
    finally:
        await asyncio.to_thread(stack.stop)


@asynccontextmanager
async def _connected(stack: Stack) -> AsyncIterator[tuple[Settings, Postgres, Bus]]:
    settings = Settings(
        kafka=stack.kafka, postgres=stack.postgres, secret_key=stack.addresses.secret_key
    )
    await migrate(settings)
    await declare(settings)
    postgres, bus = Postgres(settings), Bus.of(settings, "bench")
    await bus.start()
    try:
        yield settings, postgres, bus
    finally:
        await bus.stop()
        await postgres.close()


@asynccontextmanager
async def _working(log: Path, environment: Mapping[str, str]) -> AsyncIterator[int]:
    command = [sys.executable, "-m", "headgate", "worker", "notify"]
    worker = await process.start(command, log, environment=environment)
    try:
        yield worker.pid
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()


async def _until_owned(place: Notifying, log: Path) -> None:
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            await until(place.owned)
    except TimeoutError:
        said = "\n".join(process.last_lines(log, 30))
        raise RuntimeError(f"the notify worker did not begin:\n{said}") from None
