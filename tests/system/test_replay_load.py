"""`headgate replay` on a whole system: verdicts that add up, ids that prove themselves, and kills.

The long version is test_replay_10000.py.
"""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bench.system import walkable_folder
from tests.system.harness_replay import (
    Said,
    captured,
    ended,
    headgate,
    make_mixed,
    start,
    stored,
    target,
    until_answered,
)
from tests.system.harness_whole import Whole, whole

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]

PAYMENTS = 30
"""Mixed ones; half as many commands again are about them."""
RATE = "15"
"""Steps a second while something is killed, so that the kill meets work."""


@dataclass(frozen=True)
class Recorded:
    """A running system, and what it was asked, in a file."""

    subject: Whole
    file: Path
    commands: int

    async def replay(self, *words: str) -> Said:
        """Replay the file."""
        return await headgate(self.subject, "replay", str(self.file), *words, *target(self.subject))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recorded() -> AsyncIterator[Recorded]:
    """Mixed payments, made and captured."""
    async with whole() as subject:
        shop = await make_mixed(subject, PAYMENTS)
        await subject.until_well()
        yield Recorded(subject, await captured(subject, walkable_folder()), shop.commands)


async def rows_of(recorded: Recorded, run_id: str) -> dict[str, Any]:
    """The run's own row."""
    said = "select * from replays_of_topics where run_id = $1"
    [row] = await recorded.subject.place.rows(said, run_id)
    return dict(row)


@pytest.mark.parametrize(
    "speed", [["--speed", "1"], ["--speed", "10"], ["--as-fast"]], ids=" ".join
)
async def test_every_speed_ends_with_a_verdict_that_adds_up(
    recorded: Recorded, speed: list[str]
) -> None:
    said = await recorded.replay(*speed)
    assert said.code == 0, said
    row = await rows_of(recorded, said.run_id)
    progress = json.loads(row["progress"])
    assert row["state"] == "done"
    assert json.loads(row["verdict"])["holds"] is True
    assert progress["planned"] == progress["done"] == recorded.commands
    assert progress["accepted"] == PAYMENTS
    assert progress["skipped"] == progress["approximated"] == {}
    assert set(progress["answered"]) == {"200", "201"}


@pytest.mark.parametrize("sink", ["rest", "commands"])
async def test_the_same_ids_add_not_one_row_fact_or_webhook(recorded: Recorded, sink: str) -> None:
    """Asked of the stores, not of the tool."""
    headers = recorded.subject.merchant.headers
    pair = ("--key", headers["X-Api-Key"], "--secret", headers["X-Api-Secret"])
    before = await stored(recorded.subject)
    said = await recorded.replay(
        "--same-ids", "--as-fast", "--sink", sink, *(pair if sink == "rest" else ())
    )
    assert said.code == 0, said
    assert await stored(recorded.subject) == before
    progress = json.loads((await rows_of(recorded, said.run_id))["progress"])
    assert progress["done"] == progress["planned"] >= recorded.commands


async def test_a_killed_replayer_goes_on_where_it_was(recorded: Recorded) -> None:
    """kill -9 in mid-run; what was in flight is sent again and counts once."""
    subject, run_id = recorded.subject, "run_killed"
    words = ("replay", str(recorded.file), "--rate", RATE, "--run-id", run_id, *target(subject))
    running = await start(subject, *words)
    await until_answered(subject, run_id, recorded.commands // 3)
    running.kill()
    await running.wait()
    said = await headgate(subject, "replay", "--resume", run_id)
    assert said.code == 0, said
    progress = json.loads((await rows_of(recorded, run_id))["progress"])
    assert progress["done"] == recorded.commands
    assert progress["accepted"] == PAYMENTS


async def test_a_replayer_that_is_told_to_stop_says_how_to_go_on(recorded: Recorded) -> None:
    subject, run_id = recorded.subject, "run_stopped"
    words = ("replay", str(recorded.file), "--rate", RATE, "--run-id", run_id, *target(subject))
    running = await start(subject, *words)
    await until_answered(subject, run_id, 5)
    running.send_signal(signal.SIGTERM)
    said = await ended(running)
    assert said.code == 75, said
    assert f"headgate replay --resume {run_id}" in said.err
    assert (await rows_of(recorded, run_id))["state"] == "stopped"


async def test_a_killed_edge_and_a_killed_worker_are_waited_for(recorded: Recorded) -> None:
    """The supervisor brings both back; the replayer repeats what was not answered."""
    subject, run_id = recorded.subject, "run_waits"
    words = ("replay", str(recorded.file), "--rate", RATE, "--run-id", run_id, *target(subject))
    running = await start(subject, *words)
    await until_answered(subject, run_id, 5)
    await subject.kill("edge")
    await until_answered(subject, run_id, recorded.commands // 2)
    await subject.kill("settle")
    said = await ended(running)
    assert said.code == 0, said
    progress = json.loads((await rows_of(recorded, run_id))["progress"])
    assert progress["done"] == recorded.commands
    assert progress["repeated"].get("0", 0) > 0


async def test_an_edge_that_stays_away_cuts_the_run_off_and_says_so(recorded: Recorded) -> None:
    subject = recorded.subject
    headers = subject.merchant.headers
    pair = ("--key", headers["X-Api-Key"], "--secret", headers["X-Api-Secret"])
    nowhere = ("--to", "http://127.0.0.1:9")
    said = await headgate(subject, "replay", str(recorded.file), *pair, *nowhere)
    assert said.code == 1, said
    assert "does not answer" in said.err


async def test_what_is_not_allowed_is_refused_before_anything_is_sent(recorded: Recorded) -> None:
    for words, told in (
        (["--sink", "topic:payments.facts"], "never writes there"),
        (["--sink", "topic:webhooks.ready"], "--resend-webhooks"),
        (["--sink", "topic:acquirer.requests"], "--call-acquirer"),
        (["--sink", "topic:payments.commands"], "--same-ids"),
        (["--sink", "commands"], "--into"),
        (["--rate", "5", "--as-fast"], "one of"),
    ):
        said = await recorded.replay(*words)
        assert said.code == 2, said
        assert told in said.err
