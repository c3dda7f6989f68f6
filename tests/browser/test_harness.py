"""The harness itself: axe sees what is wrong, a refused script is noticed, the system answers."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.harness_pages import LOOKS, Look, Tab, axe, opened
from tests.system.harness_running import Running

STRICT = "default-src 'none'; script-src 'nonce-n'; style-src 'nonce-n'; base-uri 'none'"
GOOD = (
    "<!doctype html><html lang='en'><head><title>Fine</title></head><body><main><h1>Fine</h1>"
    "<p role='status'></p></main>%s</body></html>"
)
SPEAKS = "<script nonce='n'>document.querySelector('p').textContent = 'spoke'</script>"


async def shown(page: Page, body: str) -> None:
    """Open a page with this body and the strictest policy."""

    async def answer(route: Route) -> None:
        headers = {"content-security-policy": STRICT, "content-type": "text/html"}
        await route.fulfill(body=body, headers=headers)

    await page.route("http://page.localhost/", answer)
    await page.goto("http://page.localhost/")


async def test_axe_finds_nothing_in_a_good_page_under_a_strict_policy(page: Page) -> None:
    await shown(page, GOOD % SPEAKS)
    await expect(page.get_by_role("status")).to_have_text("spoke")
    assert await axe(page) == []


async def test_axe_names_a_field_without_a_label(page: Page) -> None:
    await shown(page, GOOD % "<input name='a'>")
    assert any("label (critical)" in line for line in await axe(page))


async def test_a_refused_script_and_a_broken_one_are_complaints(tab: Tab) -> None:
    broken = "<script nonce='n'>nobody.home()</script>"
    await shown(tab.page, GOOD % ("<script>document.title = 'evil'</script>" + broken))
    await expect(tab.page).to_have_title("Fine")
    told = " ".join(tab.complaints)
    tab.complaints.clear()
    assert "Content Security Policy" in told
    assert "nobody is not defined" in told


async def test_what_complains_fails_the_test(browser: Browser) -> None:
    with pytest.raises(AssertionError, match="complained"):
        async with opened(browser) as tab:
            await shown(tab.page, GOOD % "<script>1</script>")


@pytest.mark.parametrize("look", LOOKS, ids=str)
async def test_a_page_is_looked_at_by_day_and_night_on_phone_and_desk(
    browser: Browser, look: Look
) -> None:
    async with opened(browser, look) as tab:
        await shown(tab.page, GOOD % "")
        asks = "scheme => [innerWidth, matchMedia(`(prefers-color-scheme: ${scheme})`).matches]"
        assert await tab.page.evaluate(asks, look.scheme) == [look.width, True]


async def test_the_browser_reaches_the_running_system_by_any_local_name(
    page: Page, running: Running
) -> None:
    for host in ("127.0.0.1", "shop.localhost"):
        answer = await page.goto(f"http://{host}:{running.edge.port}/health")
        assert answer is not None
        assert await answer.text() == "OK"


async def test_the_browser_reaches_nothing_beyond_this_machine(page: Page) -> None:
    with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
        await page.goto("http://example.com/")
