"""Now in a real browser: its numbers and charts move by themselves."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.harness_serving import Serving, serving
from tests.system.harness_running import Running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def dashboard(running: Running) -> AsyncIterator[Serving]:
    """A dashboard that is open to all."""
    async with serving(running.place.settings, running.edge.client) as served:
        yield served


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
