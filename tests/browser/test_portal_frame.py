"""The portal in a frame of a merchant's own page: another site, so there are no cookies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.harness_pages import Tab
from tests.browser.harness_shop import Shops, shops_of
from tests.system.harness_receiver import receiving
from tests.system.harness_running import Running

FRAME = "#portal"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shops(running: Running) -> AsyncIterator[Shops]:
    """A merchant with two sites, one of which may show the portal."""
    async with shops_of(running) as shops:
        yield shops


async def framing(shops: Shops, host: str) -> str:
    """A page of the merchant's at this host, with a new link to the portal in its frame."""
    answer = await shops.running.edge.client.post("/api/v1/portal_links", json={"access": "full"})
    assert answer.status_code == 201, answer.text
    path = answer.json()["url"].partition("/portal/")[2]
    query = urlencode({"portal": f"{shops.pay}/portal/{path}/endpoints"})
    return f"{shops.origin(host)}/portal?{query}"


async def test_the_merchants_page_shows_the_portal_and_all_of_it_works_without_a_cookie(
    page: Page, shops: Shops
) -> None:
    async with receiving() as receiver:
        await page.goto(await framing(shops, "shop.localhost"))
        portal = page.frame_locator(FRAME)
        await portal.get_by_role("link", name="New endpoint").click()
        url = f"http://127.0.0.1:{receiver.port}/framed"
        await portal.get_by_label("URL").fill(url)
        await portal.get_by_role("button", name="Make the endpoint").click()
        await expect(portal.get_by_text("whsec_").first).to_be_visible()
        await portal.get_by_role("link", name="To the endpoint").click()
        await portal.get_by_role("button", name="Send a test event").click()
        await expect(portal.locator("#said")).to_contain_text("on its way")
        await portal.get_by_role("link", name="Deliveries", exact=True).click()
        await expect(portal.locator(".live-state")).to_have_text("Live")
        row = portal.locator("tbody#deliveries tr").filter(has_text="/framed").first
        await expect(row).to_contain_text("success")  # By itself: the frame is live, too.
    assert await page.context.cookies() == []


async def test_another_site_is_refused_by_the_browser(tab: Tab, shops: Shops) -> None:
    await tab.page.goto(await framing(shops, "other.localhost"))
    await tab.page.wait_for_timeout(1500)  # Nothing may happen: there is nothing to wait for.
    assert any("frame-ancestors" in said for said in tab.complaints), tab.complaints
    refused = tab.page.frame_locator(FRAME)
    assert await refused.get_by_role("link", name="New endpoint").count() == 0
    tab.complaints.clear()
