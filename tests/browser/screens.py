"""`make screens`: pictures of every page of the gallery, by day on a desk and by night on a phone.

It starts a system in which something of everything happens (harness_scene.py), and writes
`docs/screens/VIEW-LOOK.png`. A page that cannot be shown is named at the end; the others are still
taken."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from playwright.async_api import Browser, Error, Page, async_playwright

from bench.system import walkable_folder
from headgate.embedded.stack import Stack
from tests.browser import chromium
from tests.browser.gallery import GALLERY, View
from tests.browser.harness_pages import ARGUMENTS, Look, look_as, opened
from tests.browser.harness_scene import Scene, staged
from tests.system.harness_running import running_system

FOLDER = Path(__file__).parents[2] / "docs" / "screens"
PICTURED = (Look("light", 1280), Look("dark", 360))
"""Of the four looks that axe judges; four pictures of each page would be 20 MB."""
TALL_PX = {360: 1200, 1280: 900}
"""Where pictures of long pages end, by their width: the rest is more of the same."""
DRAWN_AFTER_S = 0.5
"""What the last look changed is drawn by then."""


async def main() -> int:
    """Write all pictures; 1 where there is no Chromium, or where a page cannot be shown."""
    path = await asyncio.to_thread(chromium.find)
    if path is None:
        print(chromium.MISSING, file=sys.stderr)  # noqa: T201  a program of make's
        return 1
    folder = walkable_folder()
    stack = Stack(folder)
    try:
        await asyncio.to_thread(stack.up, os.getpid())
        async with (
            running_system(stack, folder, HEADGATE_DEMO_PAGES="true") as running,
            staged(running) as scene,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
            wrong = await all_pictures(browser, scene)
            await browser.close()
    finally:
        stack.stop()
    print("\n".join(wrong), file=sys.stderr)  # noqa: T201
    return int(bool(wrong))


async def all_pictures(browser: Browser, scene: Scene) -> list[str]:
    """Of every view two, and no others in the folder. Returns what could not be shown, and why."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    found = [await pictures(browser, scene, view) for view in GALLERY]
    return [wrong for wrong in found if wrong]


async def pictures(browser: Browser, scene: Scene, view: View) -> str:
    """One view in both looks; what was wrong, empty for nothing."""
    try:
        async with opened(browser) as tab:
            await view.show(tab.page, scene)
            for look in PICTURED:
                await picture(tab.page, look, FOLDER / f"{view.name}-{look}.png")
    except (AssertionError, Error) as error:
        return f"{view.name}: {error}"
    return ""


async def picture(page: Page, look: Look, file: Path) -> None:
    """The page from its top, as far down as it is worth it."""
    await look_as(page, look)
    await asyncio.sleep(DRAWN_AFTER_S)
    long = await page.evaluate("document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": look.width, "height": min(long, TALL_PX[look.width])}
    await page.screenshot(path=file, full_page=True, clip=clip)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
