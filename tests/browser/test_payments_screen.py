"""Payments as people see them: searched, filtered, one opened, refunded."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable

import pytest_asyncio
import uvicorn
from playwright.async_api import Page, expect

from headgate.dashboard.app import create_dashboard
from headgate.dashboard.everything import place_of
from headgate.tables.postgres import Postgres
from tests.browser.harness_pages import axe
from tests.system.harness_bank import KNOBS
from tests.system.harness_dashboard import OneViewer
from tests.system.harness_edge import free_port
from tests.system.harness_place import holds, until
from tests.system.harness_running import Running


@pytest_asyncio.fixture(loop_scope="session")
async def dashboard(running: Running) -> AsyncIterator[str]:
    """Where an operator's dashboard is that nobody has to sign in to."""
    postgres, port = Postgres(running.place.settings), free_port()
    place = place_of(running.place.settings, postgres, running.edge.client)
    app = create_dashboard(place, OneViewer())
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}/dashboard"
    await place.hub.close()
    server.should_exit = True
    await serving
    await postgres.close()


async def paid(running: Running, order: str) -> str:
    """A payment of 5.00 INR that the bank takes; its id."""
    answer = await running.edge.create(order=order)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_payment_is_searched_opened_and_refunded(
    dashboard: str, running: Running, page: Page
) -> None:
    order = f"screen-{secrets.token_hex(4)}"
    payment = await paid(running, order)
    await paid(running, f"{order}-other")
    await page.goto(f"{dashboard}/payments")
    search = page.get_by_test_id("search-input")
    await search.fill(f"order:{order} amount:>=500 method:upi")
    await search.press("Enter")
    rows = page.get_by_test_id("payment-row")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("captured")  # By itself: the page is live.
    await rows.get_by_role("link").click()
    timeline = page.get_by_test_id("payment-timeline")
    await expect(timeline).to_contain_text("payment.captured")
    await expect(timeline).to_contain_text("payments.commands/")
    await page.get_by_role("link", name="Refund …").click()
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await page.get_by_label("Amount in INR").fill("2.50")
    await page.get_by_test_id("refund-form").get_by_role("button").click()
    await expect(page.get_by_text("The refund was accepted")).to_be_visible()
    await expect(timeline).to_contain_text("by operator:opr_1")
    await expect(page.locator("#payment-children")).to_contain_text("2.50 INR")
    assert page.url.endswith(f"/payments/{payment}?done=refund")


async def in_doubt(running: Running) -> str:
    """A payment whose bank does not answer; its id. Workers hear of the outage within a second, so
    the first payments may still be answered."""
    found: list[str] = []

    async def doubted() -> bool:
        found.append(await paid(running, f"doubt-{secrets.token_hex(4)}"))
        answered = "select count(*) from facts where payment_id = $1 and sequence > 3"
        await holds(lambda: _some(running.place.number(answered, found[-1])), 10)
        state = "select count(*) from payments where id = $1 and state = 'in_doubt'"
        return await running.place.number(state, found[-1]) == 1

    await until(doubted, 30, "a payment in doubt")
    return found[-1]


async def _some(count: Awaitable[int]) -> bool:
    return await count > 0


async def test_a_bank_is_asked_by_hand_and_the_row_goes_when_it_answers(
    dashboard: str, running: Running, page: Page
) -> None:
    await running.edge.client.put(KNOBS, json={"outage": True})
    payment = await in_doubt(running)
    await page.goto(f"{dashboard}/in-doubt")
    row = page.get_by_test_id("doubt-row").filter(has_text=payment)
    await row.get_by_role("checkbox").check()
    await page.get_by_role("button", name="Ask the bank now …").click()
    form = page.get_by_test_id("inquire-form")
    await expect(page.get_by_role("listitem").filter(has_text=payment)).to_contain_text("in doubt")
    assert await axe(page) == []
    await form.get_by_label("Why").fill("They are on the phone")
    await form.get_by_role("button", name="Ask the bank").click()
    await expect(page.get_by_label("Results")).to_contain_text("the bank is asked")
    await expect(row).to_have_count(1)  # It is away: no answer is no news.
    await running.edge.client.delete(KNOBS)
    await expect(row).to_have_count(0)  # By itself, when a question was answered.
    await page.goto(f"{dashboard}/payments/{payment}")
    timeline = page.get_by_test_id("payment-timeline")
    await expect(timeline).to_contain_text("by operator:opr_1: “They are on the phone”")
    await expect(timeline).to_contain_text("acquirer.answer by the bank: unknown")
