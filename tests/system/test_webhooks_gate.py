"""An endpoint that goes away under load: its backlog is held, outlives our death, and arrives."""

from __future__ import annotations

import logging
import signal
from pathlib import Path

import pytest

from bench.merchant import receiving
from headgate.embedded.stack import Stack
from tests.system.harness_commands import publishing
from tests.system.harness_notified import create_shop, success, told, until_delivered
from tests.system.harness_place import holds, opened
from tests.system.harness_workers import Workers

pytestmark = [pytest.mark.system, pytest.mark.chaos, pytest.mark.timeout(300)]

log = logging.getLogger(__name__)
FACTS = 400
PATIENCE_S = 120.0
QUICK = {
    "HEADGATE_WEBHOOK_PROBE_WAIT_S": "2",
    "HEADGATE_WEBHOOK_PROBE_WAIT_MAX_S": "4",
    "WEBHOOK_RETRY_INTERVALS_TEST": "true",
}
"""The schedule in seconds, and probes often: the order of things is the same."""


async def test_the_backlog_of_an_endpoint_outlives_its_outage_and_ours_08_r29(
    stack: Stack, tmp_path: Path
) -> None:
    """The endpoint shuts; what comes meanwhile is held and knocks no more than the breaker lets
    it. The worker dies with the backlog, another takes it over, the endpoint opens: all arrives."""
    async with (
        opened(stack, **QUICK) as place,
        receiving() as sink,
        publishing(place.settings) as bus,
    ):
        merchant_id = await create_shop(place.settings, sink, "/gate")
        workers = Workers(place, "notify", tmp_path)

        async def all_known() -> bool:
            return await place.number("select count(*) from webhook_deliveries") == FACTS

        async def held() -> bool:
            waiting = "select count(*) from webhook_deliveries where status = 'held'"
            return await place.number(waiting) >= FACTS // 2

        try:
            worker = await workers.start(0)
            await workers.until_only(0)
            await sink.ask("shut")
            for first in range(0, FACTS, 20):
                numbers = range(first, first + 20)
                await bus.publish_until_acked(
                    [told(place.settings, merchant_id, number) for number in numbers]
                )
            assert await holds(all_known, PATIENCE_S), workers.tails()
            assert await holds(held, PATIENCE_S), workers.tails()
            worker.send(signal.SIGKILL)
            await worker.ended()
            await workers.start(0)
            refusals = (await sink.ask("open"))["refusals"]
            assert await until_delivered(place, sink, FACTS, PATIENCE_S), workers.tails()
            await workers.stop()
        finally:
            workers.kill()
        stats, seen = await sink.ask("stats"), await sink.ask("seen")
        log.info("%s refusals of %s, %s repeats", refusals, FACTS, stats["repeats"])
        assert set(seen) == {success(merchant_id, number).id for number in range(FACTS)}
        assert stats["changed"] == 0
        assert refusals < FACTS // 4
        workers.assert_no_surprise()
