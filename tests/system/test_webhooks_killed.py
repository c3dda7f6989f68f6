"""kill -9 of the notify worker at each step of a delivery: told again, never lost."""

from __future__ import annotations

import asyncio
import logging
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.merchant import receiving
from headgate.embedded.stack import Stack
from tests.system.harness_commands import publishing
from tests.system.harness_notified import create_shop, success, told, until_delivered
from tests.system.harness_place import opened
from tests.system.harness_workers import Workers

pytestmark = [pytest.mark.system, pytest.mark.chaos, pytest.mark.timeout(240)]

log = logging.getLogger(__name__)
FACTS = 60
PATIENCE_S = 90.0


@dataclass(frozen=True)
class Death:
    """Where the worker dies, and at which time that it gets there."""

    point: str
    time: int

    @property
    def crash_at(self) -> str:
        """As `streams.crashpoints` takes it."""
        return f"{self.point}:{self.time}:KILL"


AFTER_THE_ANSWER = Death("deliver.posted", 7)
"""The receiver has said 2xx, and nothing of ours knows it."""
DEATHS = (
    AFTER_THE_ANSWER,
    Death("deliver.told", 7),
    Death("notify.stored", 2),
    Death("notify.published", 2),
    Death("project.stored", 2),
)


async def dies_and_delivers(stack: Stack, logs: Path, death: Death) -> None:
    """The worker dies once, is started again, and everything arrives."""
    async with opened(stack) as place, receiving() as sink, publishing(place.settings) as bus:
        merchant_id = await create_shop(place.settings, sink, path="/hook")
        workers = Workers(place, "notify", logs)
        try:
            await workers.start(0, HEADGATE_CRASH_AT=death.crash_at)
            await workers.until_only(0)
            for half in (range(FACTS // 2), range(FACTS // 2, FACTS)):
                # A quick worker takes all that waits as one batch; each half is at least one.
                for number in half:
                    await bus.publish_until_acked([told(place.settings, merchant_id, number)])
                assert await until_delivered(place, sink, half.stop, PATIENCE_S), workers.tails()
            await workers.stop()
        finally:
            workers.kill()
        assert workers.surprises == [(0, -signal.SIGKILL)], workers.tails()
        seen, stats = await sink.ask("seen"), await sink.ask("stats")
        again = sorted(event for event, times in seen.items() if times > 1)
        log.info("%s: %s of %s told again", death.point, len(again), FACTS)
        assert set(seen) == {success(merchant_id, number).id for number in range(FACTS)}
        assert stats["changed"] == 0, "a repeat had other bytes"
        if death is AFTER_THE_ANSWER:
            assert again, "what was answered and not recorded must come again"
        # Each attempt has one row, however often it was made.
        rows = "select count(*) from webhook_attempts where kind = 'success'"
        assert await place.number(rows) == FACTS


async def test_what_a_receiver_accepted_and_nobody_recorded_comes_again_under_its_id_08_r27(
    stack: Stack, tmp_path: Path
) -> None:
    async with asyncio.TaskGroup() as group:
        for death in DEATHS:
            group.create_task(dies_and_delivers(stack, tmp_path, death))
