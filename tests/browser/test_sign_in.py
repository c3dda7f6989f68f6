"""Signing in and out in a real browser, by keyboard, in every look."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from headgate.tables import people
from headgate.tables.people import PersonRefused, PersonWanted
from headgate.tables.postgres import Postgres
from tests.browser.harness_pages import LOOKS, Look, axe, opened
from tests.system.harness_running import Running

EMAIL, PASSWORD = "grace@example.com", "correct horse battery"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def url(running: Running) -> str:
    """Where Grace may sign in."""
    postgres = Postgres(running.place.settings)
    try:
        await people.create(postgres, PersonWanted(EMAIL, "Grace"), PASSWORD)
    except PersonRefused:
        pass  # A second try of the first test.
    finally:
        await postgres.close()
    return f"{running.url}/dashboard/payments"


async def test_signing_in_and_out(page: Page, url: str) -> None:
    await page.goto(url)
    await expect(page.get_by_test_id("sign-in-email")).to_be_focused()
    await page.keyboard.type(EMAIL)
    await page.keyboard.press("Tab")
    await page.keyboard.type("wrong horse battery")
    await page.keyboard.press("Enter")
    password = page.get_by_test_id("sign-in-password")
    await expect(password).to_be_focused()
    await expect(password).to_have_accessible_description(
        "The e-mail address or the password is wrong."
    )
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Payments")).to_be_visible()
    await page.get_by_test_id("sign-out-button").click()
    await expect(page.get_by_role("alert")).to_have_text("You are signed out.")
    await page.goto(url)
    await expect(page.get_by_test_id("sign-in-form")).to_be_visible()


@pytest.mark.parametrize("look", LOOKS, ids=str)
async def test_the_sign_in_has_no_barriers_also_when_it_complains(
    browser: Browser, url: str, look: Look
) -> None:
    async with opened(browser, look) as tab:
        await tab.page.goto(url)
        assert await axe(tab.page) == []
        await tab.page.get_by_test_id("sign-in-button").click()
        await expect(tab.page.get_by_test_id("sign-in-email")).to_be_focused()
        assert await axe(tab.page) == []
        width = await tab.page.evaluate("document.documentElement.scrollWidth")
        assert width <= look.width


@pytest.mark.parametrize("theme", ["Light", "Dark"])
async def test_mode_and_theme_are_set_where_one_is(page: Page, url: str, theme: str) -> None:
    await page.goto(url)
    await page.get_by_test_id("sign-in-email").fill(EMAIL)
    await page.get_by_test_id("sign-in-password").fill(PASSWORD)
    await page.get_by_test_id("sign-in-button").click()
    await page.get_by_text("Theme").click()
    await page.get_by_role("button", name=theme, exact=True).click()
    await expect(page.locator("html")).to_have_attribute("data-theme", theme.lower())
    await page.get_by_test_id("mode-button").click()
    await expect(page.get_by_text("live mode")).to_be_visible()
    assert await axe(page) == []
