"""Ten thousand mixed payments, recorded once and replayed at every speed, through every kill.

Run by `make faults`: it takes about as long as ten thousand payments do, a dozen times.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from headgate.streams.ids import draw_id
from tests.system.harness_recorded import Recorded, recording
from tests.system.harness_replay import ended, stored, until_answered
from tests.system.harness_whole import kill_each

PAYMENTS = 10_000
WITHIN_S = 1800.0
KILL_EVERY_S = 15.0

pytestmark = [
    pytest.mark.system,
    pytest.mark.faults,
    pytest.mark.timeout(3 * WITHIN_S),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recorded() -> AsyncIterator[Recorded]:
    """Made and captured."""
    async with recording(PAYMENTS) as made:
        yield made


@pytest.mark.parametrize(
    "speed", [["--speed", "1"], ["--speed", "10"], ["--as-fast"]], ids=" ".join
)
async def test_ten_thousand_payments_add_up_at_every_speed(
    recorded: Recorded, speed: list[str]
) -> None:
    said = await recorded.replay(*speed, within_s=WITHIN_S)
    sys.stdout.write(said.out)
    assert said.code == 0, str(said)
    await recorded.check_whole(said.run_id)


@pytest.mark.parametrize("sink", ["rest", "commands"])
async def test_ten_thousand_payments_with_the_same_ids_add_nothing(
    recorded: Recorded, sink: str
) -> None:
    before = await stored(recorded.subject)
    said = await recorded.same_ids(sink, WITHIN_S)
    assert said.code == 0, str(said)
    assert await stored(recorded.subject) == before


async def test_ten_thousand_payments_add_up_though_everything_is_killed_in_turn(
    recorded: Recorded,
) -> None:
    """The replayer three times, with kill -9; the edge and every worker meanwhile."""
    run_id, subject = draw_id("run_"), recorded.subject
    killing = asyncio.create_task(
        kill_each(subject, ("edge", "settle", "acquire", "notify", "edge", "settle"), KILL_EVERY_S)
    )
    running = await recorded.started(run_id, "--as-fast")
    for share in (0.2, 0.4, 0.6):
        await until_answered(subject, run_id, int(share * recorded.commands), within_s=WITHIN_S)
        running.kill()
        await running.wait()
        running = await recorded.started_again(run_id)
    said = await ended(running, WITHIN_S)
    await killing
    sys.stdout.write(said.out)
    assert said.code == 0, str(said)
    await recorded.check_whole(run_id)
    await subject.until_well()
