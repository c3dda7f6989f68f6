"""Every page that people see, and how to get there: what `make screens` takes pictures of, and
what axe looks at. `test_gallery.py` fails when a page is missing here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from playwright.async_api import FrameLocator, Page, expect

from tests.browser.harness_scene import Scene
from tests.browser.test_checkout import ASKING, DECLINED, FRAME, GOOD, fill_card, pay

Steps = Callable[[Page, Scene], Awaitable[None]]


@dataclass(frozen=True)
class View:
    """A page in one state."""

    name: str
    """Of its pictures."""
    path: str
    """The route that answers it, as `routes()` names it."""
    query: str = ""
    then: Steps | None = None
    """What to do on the page until it is what is to be seen."""
    begins_at: str = ""
    """The route to begin at, if it is another one than `path`; empty for that one; `none` where
    `then` opens the page itself."""

    async def show(self, page: Page, scene: Scene) -> None:
        """Open it, and wait until it stands still."""
        if self.begins_at != NONE:
            await page.goto(scene.address(self.begins_at or self.path, self.query))
        if self.then is not None:
            await self.then(page, scene)
        await _stands(page)


NONE = "none"


async def _stands(page: Page) -> None:
    """Live regions have come, and charts are drawn."""
    await expect(page.locator("h1, h2, iframe").filter(visible=True).first).to_be_visible()
    if await page.locator(".live-state").count():
        await expect(page.locator(".live-state").first).to_have_text("Live")
    if await page.locator("figure.chart").count():
        await expect(page.locator("figure.chart canvas").last).to_be_visible()


async def _press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


async def _counted(page: Page, scene: Scene) -> None:
    """Now tells of the last seconds: let there be something to tell."""
    for number in range(5):
        await scene.running.edge.create(order=f"order-{2041 + number}", amount=129_900)
    await expect(page.locator("#value-success")).to_contain_text("%")
    await expect(page.locator("#value-p99")).to_contain_text("ms")


async def _rotated(page: Page, scene: Scene) -> None:
    del scene
    await _press(page, "Rotate the secret")
    await expect(page.get_by_text("whsec_").first).to_be_visible()


async def _key_made(page: Page, scene: Scene) -> None:
    await page.get_by_role("textbox", name="Merchant").fill(
        scene.places["/dashboard/settings/{id}"].split("/")[-1]
    )
    await page.get_by_label("Name, for people").fill("Shop server")
    await _press(page, "Make a test key")
    await expect(page.get_by_text("Copy the secret now")).to_be_visible()


async def _complaint(page: Page, scene: Scene) -> None:
    del scene
    await page.get_by_test_id("sign-in-email").fill("grace@example.com")
    await page.get_by_test_id("sign-in-password").fill("wrong horse battery")
    await page.get_by_test_id("sign-in-button").click()
    await expect(page.get_by_text("is wrong")).to_be_visible()


async def _too_much(page: Page, scene: Scene) -> None:
    del scene
    page.on("dialog", lambda dialog: dialog.accept())
    await page.get_by_label("Amount in INR").fill("99999999")
    await page.get_by_test_id("refund-form").get_by_role("button").click()
    await expect(page.get_by_role("alert")).to_be_visible()


def _hosted(then: Callable[[Page], Awaitable[None]]) -> Steps:
    """On the hosted page of a session of its own."""

    async def steps(page: Page, scene: Scene) -> None:
        session = await scene.shops.session(cancel_url=f"{scene.shops.pay}/checkout")
        await page.goto(session["url"])
        await expect(page.get_by_test_id("pay-button")).to_be_visible()
        await then(page)

    return steps


async def _wrong(page: Page) -> None:
    await fill_card(page, "4242424242424241", "12 / 20", "12")
    await pay(page)
    await expect(page.get_by_text("a digit is wrong")).to_be_visible()


async def _declined(page: Page) -> None:
    await fill_card(page, DECLINED)
    await pay(page)
    await expect(page.get_by_test_id("checkout-alert")).to_be_visible()


async def _asked(page: Page) -> None:
    await fill_card(page, ASKING)
    await pay(page)
    await expect(page.get_by_test_id("bank-step")).to_be_visible()


async def _upi(page: Page) -> None:
    await page.get_by_label("UPI", exact=True).check()
    await page.get_by_label("UPI address").fill("priya@okaxis")


async def _paid(page: Page) -> None:
    await fill_card(page, GOOD)
    await pay(page)
    await expect(page.get_by_text("Payment successful")).to_be_visible()


async def _over(page: Page, scene: Scene) -> None:
    del scene
    await expect(page.get_by_text("cannot be opened")).to_be_visible()


async def _embedded(page: Page, scene: Scene) -> None:
    await page.goto(scene.shops.page("embed", await scene.shops.session()))
    await _form(page.frame_locator(FRAME))


async def _widget(page: Page, scene: Scene) -> None:
    del scene
    await page.get_by_test_id("open-widget-button").click()
    await _form(page.frame_locator("[data-testid=payment-iframe]"))


async def _form(frame: FrameLocator) -> None:
    await expect(frame.get_by_test_id("pay-button")).to_be_visible()


async def _bought(page: Page, scene: Scene) -> None:
    del scene
    await _press(page, "Pay now")
    await expect(page.get_by_text("Payment successful")).to_be_visible()


def _of(base: str, *paths: tuple[Any, ...]) -> tuple[View, ...]:
    return tuple(View(name, base + path, *more) for name, path, *more in paths)


GALLERY: tuple[View, ...] = (
    *_of(
        "/dashboard",
        ("sign-in", "/sign-in"),
        ("sign-in-wrong", "/sign-in", "", _complaint),
        ("now", "", "", _counted),
        ("payments", "/payments"),
        ("payments-none", "/payments", "?q=order:nothing"),
        ("payment", "/payments/{id}"),
        ("payment-refund", "/payments/{id}/{act:str}"),
        ("payment-refund-wrong", "/payments/{id}/{act:str}", "", _too_much),
        ("refunds", "/refunds"),
        ("in_doubt", "/in-doubt"),
        ("endpoints", "/endpoints"),
        ("endpoint-new", "/endpoints/new"),
        ("endpoint", "/endpoints/{id}"),
        ("endpoint-secret", "/endpoints/{id}", "", _rotated),
        ("deliveries", "/deliveries"),
        ("delivery", "/deliveries/{id}"),
        ("dead-letters", "/dead-letters"),
        ("dead-letter-group", "/dead-letters/group/{group}"),
        ("dead-letter", "/dead-letters/{topic}/{partition}/{offset}"),
        ("log", "/log"),
        ("records", "/records"),
        ("record", "/records/{topic}/{partition}/{offset}"),
        ("tables", "/tables"),
        ("workers", "/workers"),
        ("replay", "/replay"),
        ("keys", "/keys"),
        ("key", "/keys/{id}"),
        ("key-made", "/keys", "", _key_made),
        ("settings", "/settings"),
        ("merchant", "/settings/{id}"),
        ("audit", "/audit"),
        ("not-found", "/payments/pay_nothing"),
    ),
    *_of(
        "/portal/{token}",
        ("portal", ""),
        ("portal-endpoints", "/endpoints"),
        ("portal-endpoint", "/endpoints/{id}"),
        ("portal-endpoint-new", "/endpoints/new"),
        ("portal-deliveries", "/deliveries"),
        ("portal-delivery", "/deliveries/{id}"),
    ),
    View("checkout", "/checkout/pay/{session}", "", _hosted(_upi), NONE),
    View("checkout-wrong", "/checkout/pay/{session}", "", _hosted(_wrong), NONE),
    View("checkout-declined", "/checkout/pay/{session}", "", _hosted(_declined), NONE),
    View("checkout-bank", "/checkout/pay/{session}", "", _hosted(_asked), NONE),
    View("checkout-paid", "/checkout/pay/{session}", "", _hosted(_paid), NONE),
    View("checkout-over", "/checkout/pay/{session}", "", _over),
    View("checkout-embedded", "/checkout/embed", "", _embedded, NONE),
    View("shop", "/checkout"),
    View("shop-widget", "/checkout", "", _widget),
    View("shop-paid", "/checkout", "", _bought),
    View("seed-home", "/"),
    View("seed-webhooks", "/webhooks"),
    View("seed-docs", "/docs"),
    View("errors", "/errors"),
    View("error", "/errors/{code}"),
)
NO_PAGES = frozenset(
    {"/metrics", "/openapi.json",
        "/asyncapi.json",
        "/schemas/{name}", "/headgate.js", "/v1/headgate.js", "/checkout.js",
     "/headgate-react.js", "/headgate-react.d.ts", "/checkout/static/{name}",
     "/dashboard/static/{name:path}", "/dashboard/payments.csv",
     "/.well-known/webhook-keys/{endpoint:path}"}
)  # fmt: skip
"""What a GET answers that nobody looks at in a browser, besides the API, health and streams."""
ELSEWHERE = frozenset(
    {"/dashboard/replay/topics/{id}", "/dashboard/replay/topics/{id}/report",
     "topic_replay.html", "topic_replay_ask.html", "in_doubt_inquire.html"}
)  # fmt: skip
"""Routes and templates that need a run or a doubt of their own: test_replay_screen.py and
test_payments_screen.py look at them with axe."""
