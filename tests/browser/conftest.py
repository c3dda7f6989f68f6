"""One browser and one running system for all tests of this folder, a fresh page for each test.

The folder is one unit of `--dist loadfile`, so that neither is started twice (tests/conftest.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from headgate.embedded.stack import Stack
from tests.browser import chromium
from tests.browser.harness_pages import ARGUMENTS, Tab, opened
from tests.system.harness_running import Running, running_system

HERE = Path(__file__).parent
TIMEOUT_S = 180
"""Of one test; the first one waits for the system and the browser to start."""
find = cache(chromium.find)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here is one of the browser, on the loop that the browser lives on."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, without a window."""
    path = find()
    if path is None:
        pytest.skip(chromium.MISSING)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def tab(browser: Browser) -> AsyncIterator[Tab]:
    """A page by day on a desk; fails the test if a script broke or the CSP refused something."""
    async with opened(browser) as fresh:
        yield fresh


@pytest.fixture
def page(tab: Tab) -> Page:
    """The page of `tab`, for tests that expect no complaint."""
    return tab.page


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running(
    browser: Browser, stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """An edge with the demo merchant and all workers. Tests share it: use orders of your own."""
    del browser  # Without one, nothing needs to start.
    logs = tmp_path_factory.mktemp("browser")
    async with running_system(stack, logs, HEADGATE_DEMO_PAGES="true") as system:
        yield system
