"""Every page, by day and night, on a phone and a desk: axe finds nothing, nothing sticks out.

Complete by construction: a route or a template that no view of the gallery shows fails here."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from starlette.routing import Route

from headgate.cli.serving import whole
from headgate.dashboard.pages import HERE, Pages
from headgate.streams.settings import Settings
from tests.browser.gallery import ELSEWHERE, GALLERY, NO_PAGES, View
from tests.browser.harness_pages import LOOKS, axe, look_as, opened, sticks_out
from tests.browser.harness_scene import Scene, staged
from tests.system.harness_running import Running

NO_PAGE_BEGINS = ("/api/", "/health")
NO_PAGE_ENDS = "/live"


def pages(folder: Path) -> Iterator[str]:
    """The route of every page that the process serves, whoever it is for."""
    key = b64encode(bytes(32)).decode()
    front = whole(Settings(secret_key=key, state_dir=folder, test_mode=True, demo_pages=True))
    for route in [*front.edge.routes, *front._dashboard.routes]:  # type: ignore[attr-defined]
        assert isinstance(route, Route)
        aside = route.path in NO_PAGES or route.path.startswith(NO_PAGE_BEGINS)
        if not aside and not route.path.endswith(NO_PAGE_ENDS) and "GET" in _methods(route):
            yield route.path


def _methods(route: Route) -> set[str]:
    """The edge's routes know their methods by themselves."""
    handlers: dict[str, Any] | None = getattr(route.endpoint, "handlers", None)
    return set(handlers) if handlers is not None else set(route.methods or ())


async def test_every_page_is_in_the_gallery(tmp_path: Path) -> None:
    shown = {view.path for view in GALLERY}
    missing = set(pages(tmp_path)) - shown - ELSEWHERE
    assert not missing, f"{sorted(missing)}: add a View in tests/browser/gallery.py for each"
    assert len({view.name for view in GALLERY}) == len(GALLERY)


@pytest.fixture(scope="module")
def rendered() -> Iterator[set[str]]:
    """The templates of the pages that were shown so far."""
    seen: set[str] = set()
    page = Pages.page

    def noted(self: Pages, template: str, *given: Any, **named: Any) -> Any:
        seen.add(template)
        return page(self, template, *given, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Pages, "page", noted)
        yield seen


@pytest.fixture(scope="module")
def visited() -> set[str]:
    """The views that were shown so far."""
    return set()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(running: Running, rendered: set[str]) -> AsyncIterator[Scene]:
    """A system in which something of everything has happened."""
    del rendered
    async with staged(running) as staged_scene:
        yield staged_scene


@pytest.mark.parametrize("view", GALLERY, ids=lambda view: view.name)
async def test_a_page_stands_however_it_is_looked_at(
    browser: Browser, scene: Scene, view: View, visited: set[str]
) -> None:
    visited.add(view.name)
    async with opened(browser) as tab:
        await view.show(tab.page, scene)
        for look in LOOKS:
            await look_as(tab.page, look)
            assert await axe(tab.page) == [], look
            assert await sticks_out(tab.page) <= 0, look


async def test_every_template_of_a_page_was_shown(rendered: set[str], visited: set[str]) -> None:
    if len(visited) < len(GALLERY):
        pytest.skip("only when all views were asked for")
    whole_pages = {
        file.name
        for file in (HERE / "templates").glob("*.html")
        if '{% extends "layout.html" %}' in file.read_text()
    }
    by_the_edge = {"sign_in.html"}
    missing = whole_pages - rendered - by_the_edge - ELSEWHERE
    assert not missing, f"{sorted(missing)}: no View in tests/browser/gallery.py shows them"
