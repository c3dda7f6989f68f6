"""The notify worker on real parts: every fact reaches its receiver, whatever dies on the way."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from headgate.embedded.stack import Stack
from headgate.streams import ids
from headgate.streams.bus import Bus, Record
from headgate.streams.declare import declare
from headgate.streams.secrets import SecretBox, draw_webhook_secret
from headgate.streams.settings import Settings
from headgate.streams.signatures import verify
from headgate.streams.topics import PAYMENT_FACTS
from headgate.tables import merchants
from headgate.tables.migrate import migrate
from headgate.tables.postgres import Postgres, statements

pytestmark = [pytest.mark.system, pytest.mark.chaos, pytest.mark.timeout(240)]

log = logging.getLogger(__name__)
FACTS = 1500
LOAD_S = 12.0
FAILING_SHARE = 10
"""Every tenth event is answered 500 the first time."""


@dataclass
class Receiver:
    """A merchant's server: verifies, remembers, and fails some events the first time."""

    secret: str
    accepted: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    forged: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                pairs = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:-2])
                headers = {name.lower(): value for name, value in pairs}
                body = await reader.readexactly(int(headers["content-length"]))
                status = self.answer(headers, body)
                writer.write(b"HTTP/1.1 %d Said\r\ncontent-length: 2\r\n\r\nok" % status)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def answer(self, headers: dict[str, str], body: bytes) -> int:
        """The status for one webhook."""
        event = headers["webhook-id"]
        try:
            verify(self.secret, headers, body, now=time.time())
            assert f'"{event}"'.encode() in body
        except Exception:  # noqa: BLE001  whatever is wrong with it, the test must hear of it
            self.forged += 1
        if int(event.removeprefix("evt_")) % FAILING_SHARE == 0 and not self.refused[event]:
            self.refused[event] += 1
            return 500
        self.accepted[event] += 1
        return 200


@asynccontextmanager
async def receiving(secret: str) -> AsyncIterator[Receiver]:
    """A receiver that listens while the block runs."""
    receiver = Receiver(secret)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


class Workers:
    """Notify workers by slot, started again by hand as the supervisor would."""

    def __init__(self, stack: Stack, settings: Settings) -> None:
        self._environment = {
            **os.environ,
            **stack.environment(settings.namespace),
            "HEADGATE_PARTITIONS": str(settings.partitions),
            "HEADGATE_WEBHOOK_ALLOW_LOOPBACK": "true",
            "HEADGATE_LOG_LEVEL": "warning",
            "WEBHOOK_RETRY_INTERVALS_TEST": "true",
        }
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, slot: int) -> None:
        """Start the worker of a slot."""
        self._running[slot] = subprocess.Popen(
            [sys.executable, "-m", "headgate", "worker", "notify"],
            env={**self._environment, "HEADGATE_INSTANCE_SLOT": str(slot)},
        )

    def send(self, slot: int, signum: signal.Signals) -> None:
        """Send a signal to the worker of a slot."""
        self._running[slot].send_signal(signum)

    async def again(self, slot: int, signum: signal.Signals) -> None:
        """End the worker of a slot and start it again."""
        self.send(slot, signum)
        await self.restarted(slot)

    async def restarted(self, slot: int) -> None:
        """Wait until the worker of a slot has ended, and start it again."""
        await asyncio.to_thread(self._running[slot].wait, 30)
        self.start(slot)

    def keep(self) -> None:
        """Start again what has left by itself."""
        for slot, process in list(self._running.items()):
            if process.poll() is not None:
                self.start(slot)

    def stop(self) -> None:
        """Kill them all."""
        for process in self._running.values():
            process.kill()
            process.wait(15)


async def publish_facts(settings: Settings, merchant_id: str) -> None:
    """Facts of one merchant, evenly over `LOAD_S`."""
    bus = Bus.of(settings, "facts")
    await bus.start()
    try:
        for begin in range(0, FACTS, 50):
            await bus.publish_until_acked(
                [fact(settings, merchant_id, number) for number in range(begin, begin + 50)]
            )
            await asyncio.sleep(LOAD_S * 50 / FACTS)
    finally:
        await bus.stop()


def fact(settings: Settings, merchant_id: str, number: int) -> Record:
    """A payment's success."""
    payment_id = f"pay_{number}"
    return Record(
        PAYMENT_FACTS.full_name(settings),
        ids.partition_of(payment_id, settings.partitions),
        payment_id.encode(),
        b'{"id":"evt_%d","note":"\xc5\xbe"}' % number,
        (
            ("ce_id", b"evt_%d" % number),
            ("ce_type", b"payment.success"),
            ("merchant-id", merchant_id.encode()),
            ("livemode", b"false"),
        ),
    )


async def create_shop(settings: Settings, postgres: Postgres, url: str, secret: str) -> str:
    """A merchant with one endpoint."""
    await migrate(settings)
    await declare(settings)
    pair = await merchants.create(postgres, "Shop", "shop@example.com", "test")
    async with postgres.connection() as connection:
        await connection.execute(
            statements()["set_default_endpoint"],
            *(ids.draw_id("ep_"), pair.merchant_id, "test", url),
            SecretBox(settings.secret_key).seal(secret),
            ["payment.success"],
        )
        await connection.execute(statements()["bump_configuration"])
    return pair.merchant_id


async def until(condition: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Wait until the condition holds; the assertions that follow say when it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not await condition():  # noqa: ASYNC110
        await asyncio.sleep(0.2)


async def counts(postgres: Postgres) -> dict[str, int]:
    """Deliveries by status."""
    async with postgres.connection() as connection:
        rows = await connection.fetch(
            "select status, count(*) as n from webhook_deliveries group by status"
        )
    return {row["status"]: row["n"] for row in rows}


@pytest.mark.parametrize("mode", ["kill", "term", "freeze"])
async def test_no_webhook_is_lost_when_notify_dies_or_freezes_08_r27(
    stack: Stack, live_settings: Settings, mode: str
) -> None:
    postgres, secret = Postgres(live_settings), draw_webhook_secret()
    workers = Workers(stack, live_settings)
    async with receiving(secret) as receiver:
        url = f"http://127.0.0.1:{receiver.port}/hook"
        merchant_id = await create_shop(live_settings, postgres, url, secret)
        try:
            for slot in range(2):
                workers.start(slot)
            loading = asyncio.create_task(publish_facts(live_settings, merchant_id))
            for turn in range(4):
                await asyncio.sleep(3)
                if mode == "freeze":
                    workers.send(turn % 2, signal.SIGSTOP)
                    await asyncio.sleep(8)
                    workers.send(turn % 2, signal.SIGCONT)
                else:
                    signum = signal.SIGKILL if mode == "kill" else signal.SIGTERM
                    await workers.again(turn % 2, signum)
            await loading

            async def finished() -> bool:
                workers.keep()
                return await counts(postgres) == {"success": FACTS}

            await until(finished, 60)
        finally:
            workers.stop()
        found = await counts(postgres)
        await postgres.close()
    repeats = sum(receiver.accepted.values()) - len(receiver.accepted)
    log.info("%s: %s, %s repeats, %s retried", mode, found, repeats, len(receiver.refused))
    assert found == {"success": FACTS}
    assert len(receiver.accepted) == FACTS
    assert len(receiver.refused) == FACTS // FAILING_SHARE
    assert receiver.forged == 0
    assert repeats <= FACTS // 20
