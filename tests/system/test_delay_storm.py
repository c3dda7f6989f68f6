"""Pumps that die, leave and join at random under load, and what becomes of the few repeats.

The long version, `make faults`, has HEADGATE_FAULTS_RECORDS records (100,000) and draws its havoc
from HEADGATE_FAULTS_SEED (4); every repeat must be dropped by its token.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import time
from pathlib import Path

import pytest

from bench.merchant import Receiver, receiving
from headgate.embedded.stack import Stack
from headgate.streams import ids
from headgate.streams.secrets import SecretBox, draw_webhook_secret
from headgate.streams.settings import Settings
from headgate.tables import merchants
from headgate.tables.postgres import Postgres, statements
from tests.system.harness_delays import Arrivals, Load, Pumps, Shop, pumping, run
from tests.system.harness_place import Place, holds, opened
from tests.system.harness_workers import Workers

pytestmark = [pytest.mark.system, pytest.mark.chaos]

log = logging.getLogger(__name__)
WAITS_MS = (1000, 2500, 5000, 9000, 30_000, 33_000)
"""Of three tiers: 1 s, 5 s and 30 s."""
RECORDS_LONG = int(os.environ.get("HEADGATE_FAULTS_RECORDS", "100000"))
RECORDS_SHORT = 3000
SEED = int(os.environ.get("HEADGATE_FAULTS_SEED", "4"))
SHOPS = 32
SECONDS_SHORT, SECONDS_LONG = 20, 150
PUMPS = 2
"""Always there; a third one comes and goes."""


async def storm(pumps: Pumps, seconds: float) -> None:
    """SIGKILL, SIGTERM, and a third pump that joins or leaves, in an order nobody knows."""
    rng, end = random.Random(SEED), time.monotonic() + seconds  # noqa: S311
    while time.monotonic() < end:
        await asyncio.sleep(rng.uniform(1, 5))
        what = rng.choice(("kill", "term", "rebalance"))
        log.info("storm: %s", what)
        if what == "rebalance" and not pumps.runs(PUMPS):
            pumps.start(PUMPS)
        elif what == "rebalance":
            await pumps.end(PUMPS, signal.SIGTERM)
        else:
            signum = signal.SIGKILL if what == "kill" else signal.SIGTERM
            await pumps.again(rng.randrange(PUMPS), signum)


async def open_shops(settings: Settings, sink: Receiver) -> list[Shop]:
    """Merchants whose webhooks go to the sink."""
    postgres, shops = Postgres(settings), []
    url, box = f"http://127.0.0.1:{sink.port}/hook", SecretBox(settings.secret_key)
    try:
        for number in range(SHOPS):
            pair = await merchants.create(postgres, "Shop", f"{number}@example.com", "test")
            shop = Shop(pair.merchant_id, ids.draw_id("ep_"))
            sealed = box.seal(draw_webhook_secret())
            async with merchants.changing(postgres) as connection:
                await connection.execute(
                    statements()["set_default_endpoint"],
                    *(shop.endpoint_id, shop.merchant_id, "test", url, sealed),
                    ["payment.success"],
                )
            shops.append(shop)
    finally:
        await postgres.close()
    return shops


async def drop_repeats(place: Place, logs: Path, sink: Receiver, arrivals: Arrivals) -> None:
    """A notify worker reads all that arrived, repeats included: each is posted once."""
    workers, count = Workers(place, "notify", logs), len(arrivals.times)

    async def posted() -> bool:
        shown = "select count(*) from webhook_deliveries where status = 'success'"
        return await place.number(shown) >= count

    try:
        await workers.start(0)
        await holds(posted, 60 + count / 50)
        await workers.stop()
    finally:
        workers.kill()
    stats = await sink.ask("stats")
    log.info("posted %s of %s, %s twice", stats["distinct"], count, stats["repeats"])
    assert stats["distinct"] == count
    assert stats["repeats"] == 0
    workers.assert_no_surprise()


@pytest.mark.parametrize(
    ("count", "seconds"),
    [
        pytest.param(RECORDS_SHORT, SECONDS_SHORT, id="short", marks=pytest.mark.timeout(300)),
        pytest.param(
            *(RECORDS_LONG, SECONDS_LONG),
            id="long",
            marks=[pytest.mark.faults, pytest.mark.timeout(3600)],
        ),
    ],
)
async def test_a_storm_loses_nothing_and_its_repeats_are_dropped_by_their_tokens_08_r26_r27(
    stack: Stack, tmp_path: Path, count: int, seconds: int
) -> None:
    async with opened(stack) as place, receiving() as sink:
        shops = await open_shops(place.settings, sink)
        load = Load(count, seconds, WAITS_MS, shops)
        with pumping(stack, place.settings, PUMPS, static=True) as pumps:
            arrivals = await run(place.settings, load, lambda: storm(pumps, seconds), 120)
        arrivals.check(count)
        await drop_repeats(place, tmp_path, sink, arrivals)
