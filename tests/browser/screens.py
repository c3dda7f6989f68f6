"""`make screens`: pictures of every screen, by day and night, on a phone and a desk.

It starts a system, makes a little of everything, and writes `docs/screens/SCREEN-LOOK.png`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from playwright.async_api import Browser, async_playwright, expect

from bench.system import walkable_folder
from headgate.dashboard.everything import SCREENS
from headgate.embedded.stack import Stack
from tests.browser import chromium
from tests.browser.harness_pages import ARGUMENTS, LOOKS, Look, opened
from tests.browser.harness_serving import Serving, serving
from tests.system.harness_place import until
from tests.system.harness_running import Running, running_system

FOLDER = Path(__file__).parents[2] / "docs" / "screens"
SHOWN = [screen for screen in SCREENS if screen.title and "{" not in screen.paths[0].path]
"""The screens of the navigation."""
PAYMENTS = 24
METHODS: list[dict[str, object]] = [
    {"method": "upi", "vpa": "user@paytm"},
    {"method": "upi", "vpa": "fail@upi"},
    {"method": "card", "card": {"number": "4111111111111111", "expiry_month": 12,
                                "expiry_year": 2099, "cvv": "123"}},
]  # fmt: skip
SETTLES_WITHIN_S = 60
DRAWN_AFTER_S = 1.5
"""Charts are drawn when the first numbers have come."""


async def main() -> int:
    """Write all pictures; 1 where there is no Chromium."""
    path = await asyncio.to_thread(chromium.find)
    if path is None:
        print(chromium.MISSING, file=sys.stderr)  # noqa: T201  a program of make's
        return 1
    folder = walkable_folder()
    stack = Stack(folder)
    try:
        await asyncio.to_thread(stack.up, os.getpid())
        async with (
            running_system(stack, folder) as running,
            serving(running.place.settings, running.edge.client) as dashboard,
            async_playwright() as playwright,
        ):
            await some_of_everything(running)
            browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
            await all_pictures(browser, dashboard)
            await browser.close()
    finally:
        stack.stop()
    return 0


async def some_of_everything(running: Running) -> None:
    """Payments that succeed and fail, refunds, and an endpoint that answers nobody."""
    client = running.edge.client
    endpoint = {"url": "http://127.0.0.1:9/hooks", "event_types": ["payment.*"]}
    await client.post("/api/v1/webhook_endpoints", json=endpoint)
    for number in range(PAYMENTS):
        body = {"amount": 10_000 + 777 * number, "order_id": f"order-{1000 + number}"}
        await client.post("/api/v1/payments", json={**body, **METHODS[number % len(METHODS)]})
    await until(lambda: _settled(running), SETTLES_WITHIN_S, "all payments final")
    rows = await running.place.rows("select id from payments where status = 'success' limit 3")
    for row in rows:
        await client.post(f"/api/v1/payments/{row['id']}/refunds", json={"amount": 500})


async def _settled(running: Running) -> bool:
    pending = "select count(*) from payments where status = 'pending'"
    return await running.place.number(pending) == 0


async def all_pictures(browser: Browser, dashboard: Serving) -> None:
    """Of every screen four."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for screen in SHOWN:
        for look in LOOKS:
            address = dashboard.url(screen.paths[0].path)
            await picture(browser, address, look, FOLDER / f"{screen.name}-{look}.png")


async def picture(browser: Browser, address: str, look: Look, file: Path) -> None:
    """The whole page."""
    async with opened(browser, look) as tab:
        await tab.page.goto(address)
        await expect(tab.page.locator("h1")).to_be_visible()
        await asyncio.sleep(DRAWN_AFTER_S)
        await tab.page.screenshot(path=file, full_page=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
