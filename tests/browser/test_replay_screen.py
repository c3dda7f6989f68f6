"""Load tests on the screen Replay: begun, watched to their end, stopped; in every look."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.harness_pages import LOOKS, Look, axe, opened
from tests.browser.harness_serving import Serving, serving
from tests.system.harness_running import Running

ENDS_WITHIN_MS = 90_000
"""How long a small run may take to its verdict while the machine is busy."""
PROGRESS: dict[str, Any] = {
    "planned": 12_000, "sent": 8100, "done": 8012, "accepted": 6123, "in_flight": 88,
    "rate_per_s": 199.4, "behind_s": 0.012, "answered": {"201": 6123, "200": 1800, "400": 89},
    "refused": {"capture_exceeds_authorized": 80, "payment_not_refundable": 9},
    "repeated": {"0": 3, "503": 7}, "skipped": {"timers are the gateway's own": 412},
    "latency_us": {"p50": 8123, "p90": 15_400, "p99": 44_000, "p99.9": 92_000, "p100": 121_000},
}  # fmt: skip
VERDICT: dict[str, Any] = {
    "holds": False,
    "lines": [
        {"name": "accepted = stored", "ok": True, "expected": 6123, "found": 6123,
         "meaning": "every payment that was accepted is there", "invariant": "I1", "examples": []},
        {"name": "stored = told", "ok": False, "expected": 6123, "found": 6122,
         "meaning": "every fact has reached the receiver", "invariant": "",
         "examples": ["pay_aaaaaaaaaaaaaaa: payment.captured has not arrived"]},
        {"name": "as repeated", "ok": None, "expected": "the same", "found": "nothing",
         "meaning": "the run sent no requests to an edge", "invariant": "I12", "examples": []},
    ],
}  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def dashboard(running: Running) -> AsyncIterator[Serving]:
    """An operator's dashboard, whose load tests have the running system's environment."""
    async with serving(running.place.settings, running.edge.client) as found:
        assert found.place is not None
        found.place.runs.environment = running.place.environment
        yield found


async def told(running: Running, state: str, verdict: dict[str, Any] | None) -> str:
    """A run as it would have told itself; its id."""
    run_id = f"run_{secrets.token_hex(13)}"
    await running.place.rows(
        "insert into replays_of_topics(run_id, started_by, source, options, state, progress,"
        " verdict) values ($1, 'operator:opr_1', 'log --last 12000', $2, $3, $4, $5)",
        run_id, json.dumps({"rate": 200.0, "shape": "ramp"}), state, json.dumps(PROGRESS),
        json.dumps(verdict) if verdict else None,
    )  # fmt: skip
    return run_id


@pytest.mark.parametrize("look", LOOKS, ids=str)
async def test_axe_finds_nothing_on_the_pages_of_load_tests(
    browser: Browser, running: Running, dashboard: Serving, look: Look
) -> None:
    judged, lost = await told(running, "done", VERDICT), await told(running, "stopped", None)
    async with opened(browser, look) as tab:
        for path in ("/replay", f"/replay/topics/{judged}", f"/replay/topics/{lost}"):
            await tab.page.goto(dashboard.url(path))
            await expect(tab.page.locator("h1")).to_be_visible()
            assert await axe(tab.page) == [], path
            width = await tab.page.evaluate("document.documentElement.scrollWidth")
            assert width <= look.width, path
        await tab.page.goto(dashboard.url("/replay"))
        await tab.page.get_by_role("button", name="Look at what it does …").click()
        await expect(tab.page.get_by_role("button", name="Start", exact=True)).to_be_visible()
        assert await axe(tab.page) == []


async def test_a_wish_that_cannot_be_is_said_and_starts_nothing(
    dashboard: Serving, page: Page
) -> None:
    await page.goto(dashboard.url("/replay"))
    await page.get_by_label("Shape").select_option("ramp")
    await page.get_by_role("button", name="Look at what it does …").click()
    await expect(page.get_by_text("A shape needs a rate")).to_be_visible()


async def begin(page: Page, dashboard: Serving, **fields: str) -> None:
    """Fill the form, look at what it does, and start it."""
    await page.goto(dashboard.url("/replay"))
    form = page.get_by_test_id("load-test-form")
    for name, value in fields.items():
        field = form.locator(f"[name={name}]")
        if name in ("pace", "shape"):
            await field.select_option(value)
        else:
            await field.fill(value)
    await page.get_by_role("button", name="Look at what it does …").click()
    await page.get_by_role("button", name="Start", exact=True).click()


async def test_a_small_load_test_ends_by_itself_and_another_is_stopped(
    dashboard: Serving, running: Running, page: Page
) -> None:
    for _ in range(5):
        await running.edge.create(order=f"replayed-{secrets.token_hex(4)}")
    now = page.get_by_test_id("run-now")
    await begin(page, dashboard, last="40", pace="fast")
    await expect(now).to_contain_text("the verdict holds", timeout=ENDS_WITHIN_MS)  # By itself.
    await expect(page.get_by_test_id("run-verdict")).to_contain_text("accepted")
    await expect(page.get_by_role("link", name="Report with charts")).to_be_visible()

    await begin(page, dashboard, last="40", pace="rate", rate="1", shape="soak", seconds="600")
    await expect(now).to_contain_text("running")
    await now.get_by_role("button", name="Stop").click()
    await expect(now).to_contain_text("stopped", timeout=ENDS_WITHIN_MS)
    assert await axe(page) == []
