"""A replay on real parts: whatever dies in mid-job, every event is sent and none is left out."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench.merchant import Receiver, receiving
from headgate.embedded.stack import Stack
from headgate.tables.replays import StoredReplay
from tests.system.harness_notified import RETRIES
from tests.system.harness_place import Place, opened, until
from tests.system.harness_replays import Past, event_id
from tests.system.harness_workers import Workers, kill_and_restart

pytestmark = [pytest.mark.system, pytest.mark.chaos, pytest.mark.timeout(240)]

log = logging.getLogger(__name__)
PAGE = 40
EVENTS = 1200
ENVIRONMENT = {
    "HEADGATE_WEBHOOK_ALLOW_LOOPBACK": "true",
    "HEADGATE_REPLAY_PAGE_MAX": str(PAGE),
    "HEADGATE_REPLAY_LEASE_MS": "2000",
    **RETRIES,
}
DONE_WITHIN_S = 120.0
KILLS = 4


class Scene:
    """A replay of a past to a receiver, with two notify workers at work on it."""

    def __init__(self, place: Place, past: Past, sink: Receiver, workers: Workers) -> None:
        self.place = place
        self.past = past
        self.sink = sink
        self.workers = workers

    async def until_sent(self, replay: StoredReplay, count: int) -> None:
        """Wait until so many events were sent."""

        async def sent() -> bool:
            return (await self.past.now(replay)).sent >= count

        await until(sent, DONE_WITHIN_S, f"{count} events sent{self.workers.tails()}")

    async def until_delivered(self, replay: StoredReplay) -> None:
        """Wait until all of it has arrived and is shown so."""

        async def delivered() -> bool:
            now = await self.past.now(replay)
            return now.status == "completed" and now.delivered == EVENTS

        await until(delivered, DONE_WITHIN_S, f"everything delivered{self.workers.tails()}")

    async def check(self, replay: StoredReplay, deaths: int) -> None:
        """Every event once in the rows, under its own id on the wire, and counted once."""
        now = await self.past.now(replay)
        assert (now.found, now.sent, now.failed) == (EVENTS, EVENTS, 0)
        rows = await self.place.rows("select event_id, replay_id from webhook_deliveries")
        assert len(rows) == EVENTS
        wanted = {event_id(self.past.merchant_id, number) for number in range(EVENTS)}
        assert {row["event_id"] for row in rows} == wanted
        assert set(await self.sink.ask("seen")) == wanted
        stats = await self.sink.ask("stats")
        log.info("%s deaths: %s", deaths, stats)
        assert stats["changed"] == 0
        assert stats["repeats"] <= 2 * PAGE * deaths


@asynccontextmanager
async def scene(stack: Stack, logs: Path) -> AsyncIterator[Scene]:
    """A past of `EVENTS` successes, and workers that are not started yet."""
    async with opened(stack, **ENVIRONMENT) as place, receiving() as sink:
        past, workers = Past(place.settings), Workers(place, "notify", logs)
        await past.open()
        await past.add_payments(EVENTS)
        try:
            yield Scene(place, past, sink, workers)
            await workers.stop()
        finally:
            workers.kill()
            await past.postgres.close()


@pytest.mark.parametrize("point", ["replay.stored", "replay.published"])
async def test_a_worker_that_dies_between_two_steps_leaves_nothing_out_08_r27(
    stack: Stack, tmp_path: Path, point: str
) -> None:
    """kill -9 when a page is stored but not on the log, and when it is on the log but not told."""
    async with scene(stack, tmp_path) as given:
        url = f"http://127.0.0.1:{given.sink.port}/webhooks"
        replay = await given.past.replay(await given.past.add_endpoint(url))
        await given.workers.start(0, HEADGATE_CRASH_AT=f"{point}:3")
        await given.until_delivered(replay)
        assert given.workers.surprises == [(0, -9)], given.workers.tails()
        await given.check(replay, deaths=1)


async def test_a_replay_outlives_kill_9_again_and_again(stack: Stack, tmp_path: Path) -> None:
    async with scene(stack, tmp_path) as given:
        # Not the reluctant path: its 503s halve the lane's rate again and again, as they should.
        url = f"http://127.0.0.1:{given.sink.port}/webhooks"
        endpoint = await given.past.add_endpoint(url)
        replay = await given.past.replay(endpoint, rate_per_s=100)
        await given.workers.start(0)
        await given.workers.start(1)
        for turn in range(KILLS):
            await given.until_sent(replay, 1 + turn * EVENTS // KILLS)
            await kill_and_restart(given.workers)
        await given.until_delivered(replay)
        given.workers.assert_no_surprise()
        await given.check(replay, deaths=KILLS)
