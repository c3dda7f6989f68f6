"""The pages of load tests and of In doubt, over rows that a test makes up."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from headgate.dashboard.app import create_dashboard
from headgate.dashboard.everything import place_of
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres
from tests.system.harness_dashboard import OPERATOR, OneViewer

NOW = datetime.now(UTC)
KEY = f"dash_{'a' * 22}"


class Rows(Postgres):
    """PostgreSQL as far as these pages ask it."""

    answers: Mapping[str, Sequence[Any]] = {}

    async def fetch(self, statement: str, *_arguments: object) -> Any:
        """What the test says."""
        return self.answers.get(statement, [])

    async def fetch_where(self, statement: str, _conditions: object, *_arguments: object) -> Any:
        """Likewise."""
        return self.answers.get(statement, [])

    async def fetch_row(self, statement: str, *_arguments: object) -> Any:
        """The first of it."""
        return next(iter(self.answers.get(statement, [])), None)


@dataclass
class Pages:
    """An operator's browser."""

    client: httpx.AsyncClient
    rows: Rows
    asked: list[httpx.Request] = field(default_factory=list)

    async def get(self, path: str) -> str:
        """A page that is there."""
        answer = await self.client.get(f"/dashboard{path}")
        assert answer.status_code == 200, answer.text
        return answer.text

    async def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form."""
        data = {"csrf": OPERATOR.csrf, **fields}
        return await self.client.post(f"/dashboard{path}", data=data)


@pytest.fixture
async def pages() -> AsyncIterator[Pages]:
    """The dashboard without servers."""
    settings = Settings()
    rows = Rows(settings)
    place = place_of(settings, rows, httpx.AsyncClient())
    transport = httpx.ASGITransport(create_dashboard(place, OneViewer()))
    async with httpx.AsyncClient(transport=transport, base_url="http://h.test") as client:
        yield Pages(client, rows)


def a_run(**change: Any) -> dict[str, Any]:
    """A run as its row tells it."""
    told = {"planned": 50, "done": 20, "sent": 22, "rate_per_s": 9.5, "answered": {"0": 3},
            "latency_us": {"p50": 8123}}  # fmt: skip
    return {
        "run_id": "run_x", "started_by": "operator:opr_1", "source": "log", "options": "{}",
        "state": "running", "progress": json.dumps(told), "verdict": None, "stop_requested": False,
        "began_at": NOW, "updated_at": datetime.now(UTC), **change,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, [">running<", "20 of 50 steps answered", ">Stop<", "8.1 ms", "no answer"]),
        ({"stop_requested": True}, [">stopping<"]),
        ({"updated_at": NOW - timedelta(hours=1)}, ["ended without a word", "--resume run_x"]),
        ({"state": "stopped"}, [">stopped<", "--resume run_x"]),
        ({"state": "stopped", "options": '{"verify": true}'}, [">stopped<"]),
        ({"progress": "{}"}, [">running<"]),
    ],
)
async def test_a_run_tells_how_far_it_is(
    pages: Pages, change: dict[str, Any], says: list[str]
) -> None:
    pages.rows.answers = {"topic_replay": [a_run(**change)], "topic_replays": [a_run(**change)]}
    page = await pages.get("/replay/topics/run_x")
    for words in says:
        assert words in page
    assert ("--resume" in page) is ("--resume run_x" in says)
    assert "run_x" in await pages.get("/replay")


async def test_a_verdict_is_told_check_by_check(pages: Pages) -> None:
    line = {"expected": 7, "found": 6, "meaning": "all are there", "invariant": "I1"}
    lines = [
        {**line, "name": "first", "ok": True, "examples": []},
        {**line, "name": "second", "ok": False, "examples": ["pay_1 is <lost>"]},
        {**line, "name": "third", "ok": None, "examples": []},
    ]
    verdict = json.dumps({"holds": False, "lines": lines})
    pages.rows.answers = {"topic_replay": [a_run(state="done", verdict=verdict)]}
    page = await pages.get("/replay/topics/run_x")
    assert "the verdict does not hold" in page
    for words in ("first (I1)", ">no<", "not asked", "pay_1 is &lt;lost&gt;"):
        assert words in page


async def test_what_nobody_knows_is_404(pages: Pages) -> None:
    for path in ("/replay/topics/run_x", "/replay/topics/run_x/live", "/replay/topics/x.y/report"):
        assert (await pages.client.get(f"/dashboard{path}")).status_code == 404


async def test_a_load_test_is_shown_as_a_command_before_it_begins(pages: Pages) -> None:
    page = (await pages.post("/replay/topics/ask", last="5", pace="fast", rate="")).text
    assert "headgate replay log --last 5 --as-fast<" in page
    assert 'name="pace" value="fast"' in page
    page = (await pages.post("/replay/topics/ask", goal="verify", last="5")).text
    assert "headgate replay log --last 5 --verify<" in page
    assert "Nothing is sent" in page


async def test_what_is_picked_in_doubt_is_named_before_the_bank_is_asked(pages: Pages) -> None:
    row = {"id": "rfnd_1", "payment_id": "pay_1", "merchant_id": "mer_1", "mode": "test",
           "kind": "refund", "state": "needs_review", "amount": 500, "currency": "INR",
           "created_at": NOW}  # fmt: skip
    older = {**row, "id": "rfnd_0", "created_at": NOW - timedelta(days=1)}
    pages.rows.answers = {"dashboard_in_doubt": [older, row], "dashboard_to_inquire": [row]}
    page = await pages.get("/in-doubt")
    keys = [part.split('"')[1] for part in page.split("data-k=")[1:]]
    assert keys == sorted(keys, reverse=True), "live rows stand in the falling order of their keys"
    pick = {"pick.rfnd_1": "1", "key": KEY}
    asked = await pages.post("/in-doubt/inquire", **pick)
    assert (asked.status_code, 'name="pick.rfnd_1"' in asked.text) == (200, True)
    assert (await pages.post("/in-doubt/inquire", **pick, reason=" ")).status_code == 400
    assert (await pages.post("/in-doubt/inquire", **pick, reason="x" * 256)).status_code == 400
    pages.rows.answers = {}
    assert "not there any more" in (await pages.post("/in-doubt/inquire", **pick)).text
