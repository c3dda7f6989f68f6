"""The checkout in a real browser: people pay, are declined, are asked, leave; shops that must not
show the form do not (06 §5.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import FrameLocator, Page, Request, Route, expect

from tests.browser.harness_pages import Tab, axe
from tests.browser.harness_shop import Shops, shops_of
from tests.system.harness_edge import other_merchant
from tests.system.harness_place import until
from tests.system.harness_running import Running

GOOD, DECLINED, ASKING = "4242424242424242", "4000000000009995", "4000003800000446"
FRAME = "iframe[title='Secure payment form']"

Form = Page | FrameLocator


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shops(running: Running) -> AsyncIterator[Shops]:
    """The shops of the demo merchant."""
    async with shops_of(running) as shops:
        yield shops


async def fill_card(form: Form, number: str, expiry: str = "12 / 90", cvc: str = "123") -> None:
    """Type a card."""
    await form.get_by_label("Card number").fill(number)
    await form.get_by_label("Expiry date").fill(expiry)
    await form.get_by_label("Security code").fill(cvc)


async def pay(form: Form) -> None:
    """Press Pay."""
    await form.get_by_test_id("pay-button").click()


async def heard(page: Page) -> list[Any]:
    """What the shop's page was told."""
    told: list[Any] = await page.evaluate("() => heard")
    return told


async def until_heard(page: Page, kind: str) -> Any:
    """The first message of this kind."""
    found: list[Any] = []

    async def came() -> bool:
        found[:] = [told for told in await heard(page) if kind in _kinds(told)]
        return bool(found)

    await until(came, 30, f"the shop hears {kind}")
    return found[0]


def _kinds(told: Any) -> list[Any]:
    return told if isinstance(told, list) else [told["type"]]


async def test_a_card_pays_in_a_shops_frame_and_its_number_is_in_one_request(
    page: Page, shops: Shops
) -> None:
    asked: list[Request] = []

    def note(one: Request) -> None:
        asked.append(one)

    page.context.on("request", note)
    session = await shops.session()
    await page.goto(shops.page("embed", session))
    form = page.frame_locator(FRAME)
    await expect(form.get_by_test_id("checkout-amount")).to_contain_text("1,299.00")
    await fill_card(form, GOOD)
    await expect(form.get_by_test_id("card-brand")).to_have_text("Visa")
    await pay(form)
    await expect(form.get_by_text("Payment successful")).to_be_visible()
    told = await until_heard(page, "complete")
    state = await shops.running.edge.get(f"/api/v1/payments/{told['payment']}")
    assert state.json()["status"] == "success"
    holding = [one for one in asked if GOOD in (one.post_data or "") + one.url]
    assert [one.url for one in holding] == [f"{shops.pay}/api/v1/checkout/confirm"]
    own = [one.url for one in asked if one.url.startswith(shops.pay)]
    assert not any("_secret_" in url.partition("#")[0] for url in own)
    assert GOOD not in str(await heard(page))


async def test_upi_pays_on_the_hosted_page_and_leads_back_to_the_shop(
    page: Page, shops: Shops
) -> None:
    thanks = f"{shops.pay}/errors"
    session = await shops.session(success_url=thanks)
    await page.goto(session["url"])
    await page.get_by_label("UPI", exact=True).check()
    await page.get_by_label("UPI address").fill("success@upi")
    await pay(page)
    await expect(page.get_by_text("Payment successful")).to_be_visible()
    await page.wait_for_url(thanks)  # By itself, and not to come back to by accident.
    await page.go_back()
    assert not page.url.startswith(f"{shops.pay}/checkout")


async def test_a_link_leads_to_the_shop_where_the_browser_does_not_get_by_itself(
    page: Page, shops: Shops
) -> None:
    thanks = f"{shops.pay}/errors"
    tried: list[str] = []

    async def stay(route: Route) -> None:
        tried.append(route.request.url)
        await (route.abort("aborted") if len(tried) == 1 else route.continue_())

    await page.route(thanks, stay)
    await page.goto((await shops.session(success_url=thanks))["url"])
    await fill_card(page, GOOD)
    await pay(page)

    async def was_tried() -> bool:
        return bool(tried)

    await until(was_tried, 30, "the page leaves by itself")
    await page.get_by_role("link", name="Back to the shop").click()
    await expect(page.get_by_role("heading", name="Errors")).to_be_visible()


async def test_what_was_typed_wrong_is_told_at_its_field_and_focused(
    page: Page, shops: Shops
) -> None:
    await page.goto((await shops.session())["url"])
    await fill_card(page, "4242424242424241", "12 / 20", "12")
    await pay(page)
    number = page.get_by_label("Card number")
    await expect(number).to_be_focused()
    await expect(number).to_have_attribute("aria-invalid", "true")
    await expect(number).to_have_accessible_description("This is not a card number: a digit is "
                                                        "wrong. Please check it. Visa")  # fmt: skip
    await expect(page.get_by_label("Expiry date")).to_have_accessible_description(
        "This card has expired. Please use another one."
    )
    await expect(page.get_by_label("Security code")).to_have_accessible_description(
        "The security code has 3 digits."
    )
    assert await axe(page) == []


async def test_a_declined_customer_hears_why_and_pays_with_another_card(
    page: Page, shops: Shops
) -> None:
    session = await shops.session()
    await page.goto(shops.page("embed", session))
    form = page.frame_locator(FRAME)
    await fill_card(form, DECLINED)
    await pay(form)
    await expect(form.get_by_test_id("checkout-alert")).to_contain_text("not have enough money")
    await expect(form.get_by_text("Payment successful")).to_be_hidden()
    assert (await until_heard(page, "error"))["code"] == "declined"
    await fill_card(form, GOOD)
    await pay(form)
    await expect(form.get_by_text("Payment successful")).to_be_visible()
    rows = await shops.running.place.rows(
        "select status from payments where order_id = $1 order by created_at", session["order_id"]
    )
    assert [row["status"] for row in rows] == ["failed", "success"]


@pytest.mark.parametrize(
    ("button", "says"),
    [("bank-confirm", "Payment successful"), ("bank-refuse", "could not confirm that it is you")],
)
async def test_the_bank_asks_first(page: Page, shops: Shops, button: str, says: str) -> None:
    await page.goto((await shops.session())["url"])
    await fill_card(page, ASKING)
    await pay(page)
    await expect(page.get_by_test_id("bank-step")).to_be_visible()
    assert await axe(page) == []
    await page.get_by_test_id(button).click()
    await expect(page.get_by_text(says)).to_be_visible()


async def test_the_react_component_pays_and_leaves_nothing_behind(page: Page, shops: Shops) -> None:
    """In React itself (tests/browser/react); tests/unit runs it over a React that is played."""
    await page.goto(shops.page("react", await shops.session()))
    form = page.frame_locator(FRAME)
    await fill_card(form, GOOD)
    await pay(form)
    assert (await until_heard(page, "complete"))["payment"].startswith("pay_")
    await page.evaluate("() => root.unmount()")
    await expect(page.locator("iframe")).to_have_count(0)


async def test_the_seeds_widget_pays_and_tells_its_words(page: Page, shops: Shops) -> None:
    session = await shops.session()
    await page.goto(shops.page("widget", session))
    await page.get_by_role("button", name="Buy").click()
    await expect(page.get_by_test_id("payment-modal")).to_be_visible()
    form = page.frame_locator("[data-testid=payment-iframe]")
    await fill_card(form, DECLINED)
    await pay(form)
    assert "enough money" in (await until_heard(page, "failure"))[1]["error"]
    await fill_card(form, GOOD)
    await pay(form)
    assert (await until_heard(page, "success"))[1]["paymentId"].startswith("pay_")
    await expect(page.get_by_test_id("payment-modal")).to_have_count(0)
    words = await page.evaluate("() => messages")
    assert {"payment_failed", "payment_success"} <= set(words)


@pytest.mark.parametrize("how", ["button", "Escape"])
async def test_the_seeds_widget_closes(page: Page, shops: Shops, how: str) -> None:
    await page.goto(shops.page("widget", await shops.session()))
    await page.get_by_role("button", name="Buy").click()
    close = page.get_by_test_id("close-modal-button")
    await expect(close).to_be_visible()
    if how == "button":
        await close.click()
    else:
        await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("payment-modal")).to_have_count(0)
    assert await heard(page) == [["close"]]


async def test_one_click_at_the_demo_shop_pays(page: Page, running: Running) -> None:
    await page.goto(f"{running.url}/checkout")
    await page.get_by_role("button", name="Pay now").click()
    await expect(page.get_by_text("Payment successful")).to_be_visible()
    payment = await page.get_by_test_id("payment-id").text_content()
    shown = (await running.edge.get(f"/api/v1/payments/{payment}")).json()
    assert (shown["amount"], shown["currency"], shown["status"]) == (50_000, "INR", "success")


async def test_the_demo_shops_widget_pays(page: Page, running: Running) -> None:
    await page.goto(f"{running.url}/checkout")
    await page.get_by_test_id("open-widget-button").click()
    form = page.frame_locator("[data-testid=payment-iframe]")
    await form.get_by_label("UPI", exact=True).check()
    await form.get_by_label("UPI address").fill("success@upi")
    await pay(form)
    await expect(page.get_by_test_id("checkout-paid")).to_contain_text("Payment successful")


async def refused(tab: Tab, address: str) -> None:
    """The browser shows the form in no frame of this page, and says why."""
    await tab.page.goto(address)
    await expect(tab.page.locator(FRAME)).to_be_visible()
    await tab.page.wait_for_timeout(1500)
    assert any("frame-ancestors" in said for said in tab.complaints), tab.complaints
    assert await tab.page.frame_locator(FRAME).get_by_test_id("pay-button").count() == 0
    assert await heard(tab.page) == []
    tab.complaints.clear()


async def test_a_shop_that_is_not_allowed_is_refused(tab: Tab, shops: Shops) -> None:
    await refused(tab, shops.page("embed", await shops.session(), host="other.localhost"))


async def test_another_merchants_key_is_refused(tab: Tab, shops: Shops) -> None:
    edge, theirs = shops.running.edge, await other_merchant(shops.running.place)
    key = (await edge.client.get("/api/v1/api_keys", headers=theirs)).json()["data"][0]["id"]
    await refused(tab, shops.page("embed", await shops.session(), key=key))


async def test_an_unknown_key_is_refused(tab: Tab, shops: Shops) -> None:
    await refused(tab, shops.page("embed", await shops.session(), key="key_test_nobody"))


async def test_a_forged_message_is_ignored_and_the_frame_cannot_be_read(
    page: Page, shops: Shops
) -> None:
    await page.goto(shops.page("embed", await shops.session()))
    form = page.frame_locator(FRAME)
    await expect(form.get_by_test_id("pay-button")).to_be_visible()
    before = await heard(page)
    await page.evaluate(
        "() => { const id = new URLSearchParams(frames[0] && document.querySelector('iframe').src"
        ".split('#')[1]).get('id');"
        " postMessage({headgate: 1, id, type: 'complete', payment: 'pay_forged'}, '*'); }"
    )
    await page.wait_for_timeout(300)
    assert await heard(page) == before
    read = "() => { try { return frames[0].document.title } catch (error) { return error.name } }"
    assert await page.evaluate(read) == "SecurityError"
