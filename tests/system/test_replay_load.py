"""`headgate replay` on a whole system: verdicts that add up, ids that prove themselves, and kills.

The long version is test_replay_10000.py.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from headgate.replay.capture_file import CaptureFile
from headgate.streams.ids import draw_id
from tests.system.harness_recorded import Recorded, recording
from tests.system.harness_replay import ended, headgate, stored, until_answered
from tests.unit.recorded_setting import HEADER
from tests.unit.replay_setting import Records, create

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]

PAYMENTS = 30
"""Mixed ones; half as many commands again are about them."""
RATE = "15"
"""Steps a second while the replayer is killed, so that the kill meets work."""
SLOW = "5"
"""While an edge is killed, which is back after a second or a few."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recorded() -> AsyncIterator[Recorded]:
    """Mixed payments, made and captured."""
    async with recording(PAYMENTS) as made:
        yield made


@pytest.mark.parametrize(
    "speed", [["--speed", "1"], ["--speed", "10"], ["--as-fast"]], ids=" ".join
)
async def test_every_speed_ends_with_a_verdict_that_adds_up(
    recorded: Recorded, speed: list[str]
) -> None:
    said = await recorded.replay(*speed)
    assert said.code == 0, str(said)
    await recorded.check_whole(said.run_id)
    progress = await recorded.progress(said.run_id)
    assert progress["skipped"] == progress["approximated"] == {}
    assert set(progress["answered"]) == {"200", "201"}


@pytest.mark.parametrize("sink", ["rest", "commands"])
async def test_the_same_ids_add_not_one_row_fact_or_webhook(recorded: Recorded, sink: str) -> None:
    """Asked of the stores, not of the tool."""
    before = await stored(recorded.subject)
    said = await recorded.same_ids(sink)
    assert said.code == 0, str(said)
    assert await stored(recorded.subject) == before
    progress = await recorded.progress(said.run_id)
    assert progress["done"] == progress["planned"] >= recorded.commands


async def test_a_killed_replayer_goes_on_where_it_was(recorded: Recorded) -> None:
    """kill -9 in mid-run; what was in flight is sent again and counts once."""
    run_id = draw_id("run_")
    running = await recorded.started(run_id, "--rate", RATE)
    await until_answered(recorded.subject, run_id, recorded.commands // 3)
    running.kill()
    await running.wait()
    said = await recorded.resumed(run_id)
    assert said.code == 0, str(said)
    await recorded.check_whole(run_id)


async def test_a_replayer_that_is_told_to_stop_says_how_to_go_on(recorded: Recorded) -> None:
    run_id = draw_id("run_")
    running = await recorded.started(run_id, "--rate", RATE)
    await until_answered(recorded.subject, run_id, 5)
    running.send_signal(signal.SIGTERM)
    said = await ended(running)
    assert said.code == 75, str(said)
    assert f"headgate replay --resume {run_id}" in said.err
    assert (await recorded.row(run_id))["state"] == "stopped"


async def test_a_killed_edge_and_a_killed_worker_are_waited_for(recorded: Recorded) -> None:
    """The supervisor brings both back; the replayer repeats what was not answered."""
    subject, run_id = recorded.subject, draw_id("run_")
    found = await subject.system.processes()
    running = await recorded.started(run_id, "--rate", SLOW)
    await until_answered(subject, run_id, 5)
    os.kill(found["edge"]["pid"], signal.SIGKILL)
    await until_answered(subject, run_id, recorded.commands // 2)
    os.kill(found["settle"]["pid"], signal.SIGKILL)
    said = await ended(running)
    assert said.code == 0, str(said)
    await recorded.check_whole(run_id)
    assert (await recorded.progress(run_id))["repeated"].get("0", 0) > 0
    await subject.until_well()


async def test_an_edge_that_does_not_answer_is_told_at_once(recorded: Recorded) -> None:
    nowhere = ("--to", "http://127.0.0.1:9")
    said = await headgate(recorded.subject, "replay", str(recorded.file), *recorded.pair, *nowhere)
    assert said.code == 1, str(said)
    assert "does not answer" in said.err


async def test_what_is_not_allowed_is_refused_before_anything_is_sent(recorded: Recorded) -> None:
    """What else is refused, tests/unit/test_replay_options.py says."""
    said = await recorded.replay("--sink", "topic:webhooks.ready")
    assert said.code == 2, str(said)
    assert "--resend-webhooks" in said.err


async def test_commands_of_another_log_are_not_appended(recorded: Recorded, tmp_path: Path) -> None:
    """They were never decided here, so they would be now."""
    file = CaptureFile(tmp_path / "others.ndjson", HEADER)
    async for record in Records([create(1), create(2)]).records():
        file.write(record)
    file.finish()
    before = await stored(recorded.subject)
    words = ("--same-ids", "--as-fast", "--sink", "commands")
    said = await headgate(recorded.subject, "replay", str(file.path), *words)
    assert said.code == 2, str(said)
    assert "2 commands of the source were never decided" in said.err
    assert await stored(recorded.subject) == before


async def test_a_stop_ends_the_wait_for_a_verdict_which_goes_on_later(recorded: Recorded) -> None:
    run_id = draw_id("run_")
    words = ("--same-ids", "--as-fast", "--sink", "commands", "--settle-within", "60s")
    running = await recorded.started(run_id, *words)
    await until_answered(recorded.subject, run_id, recorded.commands)
    running.send_signal(signal.SIGTERM)
    said = await ended(running, 10)
    assert said.code == 75, str(said)
    assert "before it was judged" in said.err
    said = await recorded.resumed(run_id)
    assert said.code == 0, str(said)


async def test_a_given_merchant_gets_a_receiver_for_each_run(recorded: Recorded) -> None:
    """The endpoint of the first one is gone by then; webhooks are judged by the target's rows."""
    url = f"http://127.0.0.1:{recorded.subject.sink.port}/given"
    for _ in range(2):
        said = await recorded.replay("--as-fast", *recorded.pair, "--receiver", url)
        assert said.code == 0, str(said)
    sql = "select deleted_at is null as alive from webhook_endpoints where url = $1"
    alive = await recorded.subject.place.rows(sql, url)
    assert [row["alive"] for row in alive] == [False, False]
