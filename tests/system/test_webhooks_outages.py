"""The notify worker while Kafka, PostgreSQL or Redis is away: it stays, and loses nothing.

`make faults` keeps each away for HEADGATE_FAULTS_OUTAGE_S (60) seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.merchant import Receiver, receiving
from headgate.embedded.stack import Stack
from tests.system.harness_commands import paced, publishing
from tests.system.harness_notified import (
    RETRIES,
    create_shop,
    success,
    told,
    until_delivered,
)
from tests.system.harness_place import Place, opened
from tests.system.harness_workers import Workers

pytestmark = [pytest.mark.system, pytest.mark.chaos]

log = logging.getLogger(__name__)
LONG_S = float(os.environ.get("HEADGATE_FAULTS_OUTAGE_S", "60"))
SHORT_S = 8.0
"""Longer than a session with the broker."""
RATE = 40
PATIENCE_S = 120.0
SERVERS = ("kafka", "postgres", "redis")


async def found(place: Place, sink: Receiver) -> str:
    """What arrived, and what is shown, for the message of a failed test."""
    rows = await place.rows("select status, count(*) as n from webhook_deliveries group by status")
    return f"{await sink.ask('stats')}, shown { ({row['status']: row['n'] for row in rows}) }"


@contextlib.asynccontextmanager
async def away(stack: Stack, server: str) -> AsyncIterator[None]:
    """The server is dead while the block runs."""
    await asyncio.to_thread(stack.kill, server)
    try:
        yield
    finally:
        await asyncio.to_thread(stack.start, server)


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(SHORT_S, id="short", marks=pytest.mark.timeout(300)),
        pytest.param(LONG_S, id="long", marks=[pytest.mark.faults, pytest.mark.timeout(2400)]),
    ],
)
async def test_notify_outlives_every_server_and_delivers_what_came_meanwhile_00_a4(
    own_stack: Stack, tmp_path: Path, seconds: float
) -> None:
    """One outage after the other under load; no process ends, none is started again."""
    count = round(RATE * (len(SERVERS) * (seconds + 4) + 4))
    async with opened(own_stack, **RETRIES) as place, receiving() as sink:
        merchant_id = await create_shop(place.settings, sink, "/hook")
        workers = Workers(place, "notify", tmp_path)
        try:
            worker = await workers.start(0)
            await workers.until_only(0)
            async with publishing(place.settings) as bus, asyncio.TaskGroup() as group:
                group.create_task(
                    paced(bus, lambda n: [told(place.settings, merchant_id, n)], RATE, count)
                )
                for server in SERVERS:
                    await asyncio.sleep(3)
                    async with away(own_stack, server):
                        await asyncio.sleep(seconds)
            delivered = await until_delivered(place, sink, count, PATIENCE_S)
            assert delivered, f"{await found(place, sink)} of {count}{workers.tails()}"
            assert worker.process.returncode is None
            await workers.stop()
        finally:
            workers.kill()
        assert workers.exits == [], workers.tails()
        stats, seen = await sink.ask("stats"), await sink.ask("seen")
        assert set(seen) == {success(merchant_id, number).id for number in range(count)}
        assert stats["changed"] == 0
        log.info("%s webhooks, outages of %s s, %s repeated", count, seconds, stats["repeats"])
