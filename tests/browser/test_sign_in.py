"""Signing in and out in a real browser, by keyboard."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.harness_pages import axe
from tests.browser.harness_scene import EMAIL, PASSWORD, person
from tests.system.harness_running import Running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def url(running: Running) -> str:
    """Where Grace may sign in."""
    await person(running)
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
