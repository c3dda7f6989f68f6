"""Endpoints that refuse: one attempt in the first seconds, and the whole schedule after it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from bench.merchant import Receiver, receiving
from headgate.embedded import ports
from headgate.embedded.stack import Stack
from headgate.streams.deliveries import ATTEMPT_MADE, AttemptMade
from headgate.streams.topics import WEBHOOKS_ATTEMPTS
from headgate.tables.schedules import TEST_WAITS_MS
from tests.system.harness_commands import publishing
from tests.system.harness_log import LogReader, reading
from tests.system.harness_notified import RETRIES, create_shop, told
from tests.system.harness_place import holds, opened
from tests.system.harness_workers import Workers

pytestmark = [pytest.mark.system, pytest.mark.chaos, pytest.mark.timeout(240)]

EVENTS = 1
"""More of them would open the endpoint's breaker before one has run through its schedule."""
FIRST_MS = 5000
ATTEMPTS = len(TEST_WAITS_MS) + 1
PATIENCE_S = sum(TEST_WAITS_MS) / 1000 + 60


def attempts_in(log: LogReader) -> dict[str, list[AttemptMade]]:
    """The attempts on the log by delivery, each once, in their order."""
    found: dict[str, dict[str, AttemptMade]] = defaultdict(dict)
    for seen in log.of(WEBHOOKS_ATTEMPTS):
        if "kind" in json.loads(seen.value):
            made = ATTEMPT_MADE.validate_json(seen.value)
            found[made.delivery_id][made.token] = made
    return {
        delivery: sorted(made.values(), key=lambda one: one.started_at_ms)
        for delivery, made in found.items()
    }


def check_schedule(made: Sequence[AttemptMade]) -> None:
    """One attempt first, then every wait of the schedule in full, and then nothing."""
    assert [one.attempt for one in made] == list(range(1, ATTEMPTS + 1))
    first_ms = made[0].started_at_ms
    assert sum(one.started_at_ms < first_ms + FIRST_MS for one in made) == 1
    for (one, following), wait_ms in zip(pairwise(made), TEST_WAITS_MS, strict=True):
        assert following.started_at_ms - one.started_at_ms >= wait_ms
        assert following.started_at_ms >= (one.next_at_ms or 0)
    assert made[-1].next_at_ms is None


async def test_a_refusing_endpoint_gets_one_attempt_first_and_then_the_whole_schedule(
    stack: Stack, tmp_path: Path
) -> None:
    """One that answers 503, and one where nobody listens: the seed counted no attempt there, and
    knocked for ever."""
    async with (
        opened(stack, **RETRIES) as place,
        receiving() as sink,
        reading(place.settings, WEBHOOKS_ATTEMPTS) as log,
        publishing(place.settings) as bus,
    ):
        nobody = Receiver(sink.pid, next(ports.free()))
        shops = [
            await create_shop(place.settings, sink, "/refuse"),
            await create_shop(place.settings, nobody, "/refuse"),
        ]
        workers = Workers(place, "notify", tmp_path)
        try:
            await workers.start(0)
            await workers.until_only(0)
            for shop in shops:
                records = [told(place.settings, shop, number) for number in range(EVENTS)]
                await bus.publish_until_acked(records)

            async def over() -> bool:
                failed = "select count(*) from webhook_deliveries where status = 'failed'"
                return await place.number(failed) == EVENTS * len(shops)

            assert await holds(over, PATIENCE_S), workers.tails()
            await workers.stop()
            await log.until_end()
        finally:
            workers.kill()
        found = attempts_in(log)
        assert len(found) == EVENTS * len(shops)
        for made in found.values():
            check_schedule(made)
        assert (await sink.ask("stats"))["refusals"] == EVENTS * ATTEMPTS
        workers.assert_no_surprise()
