"""Webhooks as people see them: configured, failing, retried, green without reloading."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.system.harness_place import until
from tests.system.harness_receiver import receiving
from tests.system.harness_running import Running

ORDER = "order-of-webhooks-screen"
COMES_WITHIN_S = 60


async def portal_link(running: Running, access: str = "full") -> str:
    """The address of the demo merchant's portal."""
    answer = await running.edge.client.post("/api/v1/portal_links", json={"access": access})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"])


async def delivery_to(running: Running, url: str) -> str:
    """The only delivery to this URL. The demo merchant has more endpoints: other tests leave
    theirs behind, where nobody listens any more, and the newest row may be one of them."""
    sql = (
        "select delivery.id from webhook_deliveries delivery"
        " join webhook_endpoints endpoint on endpoint.id = endpoint_id where endpoint.url = $1"
    )

    async def came() -> bool:
        return len(await running.place.rows(sql, url)) == 1

    await until(came, COMES_WITHIN_S, f"a delivery to {url}")
    return str((await running.place.rows(sql, url))[0]["id"])


async def test_a_webhook_is_configured_fails_and_turns_green_after_retry(
    page: Page, running: Running
) -> None:
    answers = [500]
    async with receiving(lambda _: answers[-1]) as receiver:
        await page.goto(f"{running.url}/webhooks")
        url = f"http://127.0.0.1:{receiver.port}/hook"
        await page.get_by_test_id("webhook-url-input").fill(url)
        await page.get_by_test_id("save-webhook-button").click()
        await expect(page.get_by_test_id("webhook-secret")).to_contain_text("whsec_")
        await page.evaluate("window.neverReloaded = true")
        assert (await running.edge.create(order=ORDER)).status_code == 201
        delivery = await delivery_to(running, url)
        row = page.get_by_test_id("webhook-log-item").and_(page.locator(f"#{delivery}"))
        await expect(row.get_by_test_id("webhook-response-code")).to_have_text("500")
        await expect(row.get_by_test_id("webhook-status")).to_have_text("pending")
        answers.append(200)
        await row.get_by_test_id("retry-webhook-button").click()
        await expect(page.locator("#said")).to_contain_text("on its way")
        await expect(row.get_by_test_id("webhook-status")).to_have_text("success")
        await expect(row.get_by_test_id("webhook-response-code")).to_have_text("200")
        assert await page.evaluate("window.neverReloaded") is True
        # The same in the portal, with what was signed.
        await page.goto(f"{await portal_link(running)}/deliveries")
        await page.locator(f"#{delivery}").get_by_role("link", name="payment.success").click()
        await expect(page.get_by_label("Signature base string").first).to_contain_text(ORDER)
