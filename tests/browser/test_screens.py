"""Every screen, by day and night, on a phone and a desk: axe finds nothing, nothing sticks out."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from headgate.dashboard.everything import SCREENS
from headgate.dashboard.screens import Screen
from tests.browser.harness_pages import LOOKS, Look, axe, opened
from tests.browser.harness_serving import Serving, serving
from tests.system.harness_running import Running

SHOWN = [screen for screen in SCREENS if screen.title and "{" not in screen.paths[0].path]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def dashboard(running: Running) -> AsyncIterator[Serving]:
    """A dashboard with a payment in it."""
    await running.edge.create(order=f"screens-{secrets.token_hex(4)}")
    async with serving(running.place.settings, running.edge.client) as served:
        yield served


async def sticks_out(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    wide: int = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return wide


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("screen", SHOWN, ids=lambda screen: screen.name)
async def test_a_screen_stands_however_it_is_looked_at(
    browser: Browser, dashboard: Serving, screen: Screen, look: Look
) -> None:
    async with opened(browser, look) as tab:
        answer = await tab.page.goto(dashboard.url(screen.paths[0].path))
        assert answer is not None
        assert answer.status == 200
        await expect(tab.page.locator("h1")).to_be_visible()
        assert await axe(tab.page) == []
        assert await sticks_out(tab.page) <= 0


async def test_now_counts_a_payment_without_reloading(
    page: Page, running: Running, dashboard: Serving
) -> None:
    await page.goto(dashboard.url(""))
    await expect(page.locator("figure.chart canvas").first).to_be_visible()
    for _ in range(5):
        await running.edge.create(order=f"now-{secrets.token_hex(4)}")
    await expect(page.locator("#value-success")).to_have_text("100 %")
    await expect(page.locator("#value-p50")).to_contain_text("ms")
    await expect(page.locator("#points-rate tr").first).not_to_have_attribute("data-value", "0.0")
