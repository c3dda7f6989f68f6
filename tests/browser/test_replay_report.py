"""The page of a replay, by day and night, on a phone and a desk: axe finds nothing, and it is all
there without a script or a request."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from headgate.replay import report
from headgate.replay.checks import Verdict
from tests.browser.harness_pages import LOOKS, Look, axe, opened, sticks_out
from tests.unit.replay_runs import BAD, GOOD, HOSTILE, a_run, a_series


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("verdict", [GOOD, BAD], ids=["good", "bad"])
async def test_the_report_stands_however_it_is_looked_at(
    browser: Browser, tmp_path: Path, verdict: Verdict, look: Look
) -> None:
    file = tmp_path / "out.html"
    file.write_text(report.page(a_run(), a_series(), verdict))
    asked: list[str] = []
    async with opened(browser, look) as tab:
        tab.page.on("request", lambda one: asked.append(one.url))
        await tab.page.goto(file.as_uri())
        await tab.page.locator("summary").click()
        await expect(tab.page.locator("tbody tr").first).to_be_visible()
        assert await axe(tab.page) == []
        assert await sticks_out(tab.page) <= 0
        await expect(tab.page.locator("svg[role=img]")).to_have_count(4)
        await expect(tab.page.get_by_text(HOSTILE).first).to_be_visible()
    assert asked == [file.as_uri()]
