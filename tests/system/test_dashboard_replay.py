"""Load tests from the screen Replay: asked, begun once, stopped, and written down; operators only.

What a load test does is tested with `headgate replay`; here something that waits stands for it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from headgate.embedded.stack import Stack
from headgate.tables.topic_replays import TopicReplays
from tests.system.harness_dashboard import OPERATOR, Looking, looking
from tests.system.harness_place import opened, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

WISH = {"source": "log", "last": "50", "pace": "rate", "rate": "10"}
WAITS = "#!/bin/sh\nexec sleep 600\n"


@pytest.fixture(autouse=True)
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that does nothing in place of Headgate."""
    program = tmp_path / "python"
    program.write_text(WAITS)
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))


async def begun(looks: Looking, **wish: str) -> str:
    """Begin a run; its id."""
    answer = await looks.post("/replay/topics/start", **wish)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].rpartition("/")[2]


async def test_a_load_test_is_asked_begun_once_and_stopped(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        asked = await looks.post("/replay/topics/ask", **WISH)
        assert "headgate replay log --last 50 --rate 10" in asked.text
        assert 'name="rate" value="10"' in asked.text
        wrong = await looks.post("/replay/topics/start", **{**WISH, "rate": "much"})
        assert (wrong.status_code, "above 0" in wrong.text) == (400, True)

        run_id = await begun(looks, **WISH)
        page = await looks.get(f"/replay/topics/{run_id}")
        assert (page.status_code, "starting" in page.text) == (200, True)
        second = await looks.post("/replay/topics/start", **WISH)
        assert (second.status_code, "runs already" in second.text) == (409, True)

        rows = TopicReplays(looks.place.postgres)
        await rows.begun(run_id, OPERATOR.actor, "log --last 50", {"rate": 10})
        await rows.told(run_id, "running", {"planned": 50, "done": 7, "rate_per_s": 9.5})
        assert "7 of 50" in (await looks.get("/replay")).text
        stopped = await looks.post("/replay/topics/stop", run=run_id)
        assert stopped.status_code == 303
        assert await rows.told(run_id, "stopped", {}), "the run does not hear of it"
        assert (await looks.post("/replay/topics/stop", run="run_none")).status_code == 404

        audit = await place.rows(
            "select action, actor, change ->> 'words' as words from audit"
            " where subject = $1 order by id",
            run_id,
        )
        assert [row["action"] for row in audit] == ["topic_replay.start", "topic_replay.stop"]
        assert {row["actor"] for row in audit} == {OPERATOR.actor}
        assert f"--run-id {run_id} --to http://" in audit[0]["words"]


async def test_one_that_verifies_is_ended_at_once_and_says_so(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        run_id = await begun(looks, goal="verify", last="50")
        page = (await looks.get(f"/replay/topics/{run_id}")).text
        assert re.search(r'class="state good">running<', page)
        await looks.post("/replay/topics/stop", run=run_id)

        async def over() -> bool:
            run = await TopicReplays(looks.place.postgres).find(run_id)
            return run is not None and run.state == "failed"  # It ended by a signal, not of itself.

        await until(over, 20, "the row says how it ended")


async def test_merchants_and_live_mode_have_none(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        looks.doorman.viewer = dataclasses.replace(OPERATOR, mode="live")
        assert "load test" not in (await looks.get("/replay")).text
        assert (await looks.post("/replay/topics/start", **WISH)).status_code == 409
        looks.as_merchant("mer_1")
        assert "oad test" not in (await looks.get("/replay")).text
        for path in ("ask", "start", "stop"):
            assert (await looks.post(f"/replay/topics/{path}", **WISH)).status_code == 404
        assert await place.number("select count(*) from replays_of_topics") == 0
