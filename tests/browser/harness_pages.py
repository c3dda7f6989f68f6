"""Pages as people open them: by day or by night, on a phone or a desk, judged by axe."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from playwright.async_api import Browser, ConsoleMessage, Error, Frame, Page, expect

PATIENCE_MS = 30_000
"""How long a page may take to come to what is expected; the machine may be busy with chaos."""
HEIGHT = 900
EXPECTED = ("Failed to load resource", "htmx: htmx:sse:error")
"""What Chromium and htmx say of answers that are not there; tests look at what the page shows."""
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
MORE_ROWS = "tbody tr:nth-child(n+13)"
"""What axe is spared: it takes a second for a hundred rows, and they are like those above them."""
HERE_ONLY = "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1"
"""Neither a page nor Chromium itself reaches beyond this machine."""
ARGUMENTS = (
    "--no-sandbox",  # Chromium refuses to sandbox root, and what it opens here is ours.
    "--disable-dev-shm-usage",
    f"--host-resolver-rules={HERE_ONLY}",
)

expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Look:
    """One way of looking at a page."""

    scheme: Literal["light", "dark"] = "light"
    width: int = 1280

    def __str__(self) -> str:
        return f"{self.scheme}-{self.width}"


LOOKS = tuple(Look(scheme, width) for scheme in ("light", "dark") for width in (360, 1280))
"""The ways that every screen must stand: `light-360`, `light-1280`, `dark-360`, `dark-1280`."""


@dataclass(frozen=True)
class Tab:
    """A page in a browser context of its own, and what it complained about."""

    page: Page
    complaints: list[str]


@asynccontextmanager
async def opened(browser: Browser, look: Look | None = None) -> AsyncIterator[Tab]:
    """An empty page with no cookies; fails at the end if a script broke or the CSP refused."""
    chosen = look or Look()
    context = await browser.new_context(
        color_scheme=chosen.scheme,
        viewport={"width": chosen.width, "height": HEIGHT},
        reduced_motion="reduce",  # Colours are what they are, not on their way there.
    )
    context.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    context.on("console", lambda said: _note(said, complaints))
    context.on("weberror", lambda thrown: complaints.append(_words(thrown.error)))
    try:
        yield Tab(await context.new_page(), complaints)
        assert not complaints, f"the page complained: {complaints}"
    finally:
        await context.close()


def _note(said: ConsoleMessage, complaints: list[str]) -> None:
    """Errors count; that an answer was a 4xx, or an edge was stopped, is the test's business."""
    if said.type == "error" and not said.text.startswith(EXPECTED):
        complaints.append(said.text)


def _words(error: Error) -> str:
    return f"{error.name}: {error.message}"


async def look_as(page: Page, look: Look) -> None:
    """Look at an open page in another way, as when night falls or the window is made smaller."""
    await page.emulate_media(color_scheme=look.scheme)
    await page.set_viewport_size({"width": look.width, "height": HEIGHT})


async def sticks_out(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    wide: int = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return wide


async def axe(page: Page) -> list[str]:
    """What axe-core finds wrong, also in frames, one line each; empty when the page is fine."""
    return [wrong for frame in page.frames for wrong in await _axe(frame)]


async def _axe(frame: Frame) -> list[str]:
    """Of one frame. axe is evaluated, not inserted: that passes the strictest policy, and frames of
    other origins."""
    if await frame.evaluate("typeof window.axe") == "undefined":
        await frame.evaluate(_axe_source())
    found: dict[str, Any] = await frame.evaluate(
        "([rules, exclude]) => axe.run({exclude}, {runOnly: {type: 'tag', values: rules},"
        " resultTypes: ['violations'], iframes: false})",
        [list(RULES), [MORE_ROWS]],
    )
    return [
        f"{wrong['id']} ({wrong['impact']}): {node['html']}: {node['failureSummary']}"
        for wrong in found["violations"]
        for node in wrong["nodes"]
    ]


@cache
def _axe_source() -> str:
    """axe-core as the package brings it (MPL 2.0)."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text()
