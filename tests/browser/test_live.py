"""A live table in a real browser: it moves by itself, keeps the focus, pauses, and comes back."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Page, expect

from headgate.streams.bus import Record
from headgate.streams.clock import now_ms
from headgate.streams.codec import dead_letter
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables.portal_links import PortalLink, token_of
from tests.browser.harness_pages import Tab, axe
from tests.browser.harness_serving import Serving, serving
from tests.system.harness_commands import publishing
from tests.system.harness_running import Running

STATE = ".live-state"


@pytest_asyncio.fixture(loop_scope="session")
async def dashboard(running: Running) -> AsyncIterator[Serving]:
    """A dashboard over the running system, open to all."""
    async with serving(running.place.settings, running.edge.client) as served:
        yield served


async def pay(running: Running) -> str:
    """A payment that will succeed; its id."""
    answer = await running.edge.create(order=f"live-{secrets.token_hex(4)}")
    return str(answer.json()["id"])


async def test_a_payment_appears_and_settles_without_reloading(
    page: Page, running: Running, dashboard: Serving
) -> None:
    await page.goto(dashboard.url("/payments"))
    await expect(page.locator(STATE)).to_have_text("Live")
    payment = await pay(running)
    await expect(page.locator(f"tr#{payment}")).to_contain_text("captured")
    assert await page.locator("tbody#payments tr").first.get_attribute("id") == payment
    assert await axe(page) == []


async def test_a_dead_letter_appears_and_is_shown_as_handled_without_reloading(
    page: Page, running: Running, dashboard: Serving
) -> None:
    settings, reason = running.place.settings, f"live {secrets.token_hex(4)}: missing"
    await page.goto(dashboard.url("/dead-letters"))
    await expect(page.locator(STATE)).to_have_text("Live")
    topic = PAYMENT_COMMANDS.full_name(settings)
    origin = Record(topic, 0, b"pay_1", b"{}", (("v", b"1"),), now_ms())
    async with publishing(settings) as bus:
        await bus.publish_until_acked([dead_letter(PAYMENT_COMMANDS, settings, origin, 1, reason)])
    row = page.get_by_test_id("dead-letter-group").filter(has_text=reason)
    await expect(row).to_contain_text("1 open")
    other = await page.context.new_page()
    await other.goto(dashboard.url("/dead-letters"))
    await other.get_by_role("link", name=reason).click()
    await other.get_by_label("Why they may be left").fill("a test")
    other.once("dialog", lambda question: question.accept())
    await other.get_by_role("button", name="Discard 1 open").click()
    await expect(row).to_contain_text("all handled")


async def test_the_focus_stays_while_rows_come_and_change(
    page: Page, running: Running, dashboard: Serving
) -> None:
    first = await pay(running)
    await page.goto(dashboard.url("/payments"))
    link = page.locator(f"tr#{first} a").first
    await link.focus()
    await running.place.rows("update payments set state = 'failed' where id = $1", first)
    second = await pay(running)
    await expect(page.locator(f"tr#{second}")).to_contain_text("captured")
    await expect(page.locator(f"tr#{first}")).to_contain_text("failed")
    await expect(link).to_be_focused()


async def test_pause_holds_the_page_still_and_going_on_brings_everything(
    page: Page, running: Running, dashboard: Serving
) -> None:
    await page.goto(dashboard.url("/payments"))
    button = page.get_by_role("button", name="Pause live updates")
    await button.click()
    await expect(page.locator(STATE)).to_have_text("Paused")
    await expect(button).to_have_attribute("aria-pressed", "true")
    before = await page.locator("tbody#payments").inner_html()
    payment = await pay(running)
    await asyncio.sleep(1.5)  # Nothing may happen: there is nothing to wait for.
    assert await page.locator("tbody#payments").inner_html() == before
    await button.click()
    await expect(page.locator(f"tr#{payment}")).to_contain_text("captured")
    await expect(page.locator(STATE)).to_have_text("Live")
    await expect(button).to_be_focused()


async def test_a_restart_of_the_edge_is_seen_and_gone_by_itself(
    tab: Tab, running: Running, dashboard: Serving
) -> None:
    page = tab.page
    await page.goto(dashboard.url("/payments"))
    await expect(page.locator(STATE)).to_have_text("Live")
    await dashboard.stop()
    await expect(page.locator(STATE)).to_have_text("Connection lost; trying again")
    payment = await pay(running)
    await dashboard.start()
    await expect(page.locator(f"tr#{payment}")).to_contain_text("captured")
    await expect(page.locator(STATE)).to_have_text("Live")


async def test_what_is_old_says_since_when(
    page: Page, running: Running, dashboard: Serving
) -> None:
    await page.goto(dashboard.url("/payments"))
    await expect(page.locator(STATE)).to_have_text("Live")
    await running.place.rows("alter table payments rename to payments_away")
    try:
        await expect(page.locator(STATE)).to_contain_text("Stale since")
    finally:
        await running.place.rows("alter table payments_away rename to payments")
    await expect(page.locator(STATE)).to_have_text("Live")


async def test_who_has_a_portal_open_whose_link_ends_is_told_so(
    page: Page, running: Running, dashboard: Serving
) -> None:
    [key] = await running.place.rows("select id, merchant_id from api_keys limit 1")
    link = PortalLink(
        id="lnk_1", merchant_id=key["merchant_id"], mode="test", access="full", key_id=key["id"],
        expires_ms=now_ms() + 5_000,
    )  # fmt: skip
    token = token_of(running.place.settings.secret_key, link)
    await page.goto(dashboard.url("").replace("/dashboard", f"/portal/{token}/deliveries"))
    await expect(page.locator(STATE)).to_have_text("Live")
    await asyncio.sleep(max(0, link.expires_ms - now_ms()) / 1000)
    await dashboard.stop()
    await dashboard.start()
    await expect(page.get_by_text("This link was good until")).to_be_visible()


async def test_whoever_is_signed_out_meanwhile_is_led_to_the_sign_in(
    page: Page, dashboard: Serving
) -> None:
    await page.goto(dashboard.url("/payments"))
    await expect(page.locator(STATE)).to_have_text("Live")
    viewer, dashboard.doorman.viewer = dashboard.doorman.viewer, None
    await dashboard.stop()
    await dashboard.start()
    await page.wait_for_url("**/sign-in?next=**")
    dashboard.doorman.viewer = viewer
