"""Chromium for the browser tests: where it is, and how `make test` gets one.

Debian's package comes first: it brings its libraries with it. Playwright's own build is for
everywhere else. Without either the tests are skipped, and say so."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

MISSING = (
    "no Chromium here: install Debian's with `apt-get install chromium`, or Playwright's own with "
    "`.venv/bin/playwright install chromium`; `make test` tries both"
)
INSTALL_WAIT_S = 300
"""How long one program may take to install a browser."""
LOCK_WAIT_S = 60
"""How long apt may wait for another apt."""
ANSWER_WAIT_S = 30


def find() -> str | None:
    """The path of a Chromium that starts: the system's, else Playwright's own."""
    found = shutil.which("chromium")
    if found is not None and _starts(found):
        return found
    own = _playwrights()
    return own if Path(own).exists() and _starts(own) else None


def _playwrights() -> str:
    """Where Playwright would keep its own; it may not be there."""
    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def _starts(path: str) -> bool:
    """Whether its libraries are there too."""
    return _run([path, "--headless", "--version"], ANSWER_WAIT_S) is None


def ways() -> list[list[str]]:
    """The commands that may install one here, the best first."""
    own = [sys.executable, "-m", "playwright", "install", "chromium"]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return [own]
    if platform.freedesktop_os_release().get("ID") != "debian":  # Ubuntu's package is a snap.
        return [[*own[:-1], "--with-deps", own[-1]]]
    apt = ["apt-get", "-qq", "-o", f"DPkg::Lock::Timeout={LOCK_WAIT_S}"]
    install = [*apt, "install", "-y", "--no-install-recommends", "chromium"]
    return [install, [*apt, "update"], install, own]  # The lists may be there, and fresh enough.


def obtain() -> str | None:
    """A Chromium, installed if need be; what went wrong is said."""
    told: list[str] = []
    for way in [None, *ways()]:
        if way is not None and (error := _run(way, INSTALL_WAIT_S)) is not None:
            told.append(f"  {' '.join(way)}: {error}")
        elif (found := find()) is not None:
            return found
    print("\n".join([MISSING, *told]), file=sys.stderr)  # noqa: T201  a program of make's
    return None


def _run(command: list[str], wait_s: float) -> str | None:
    """What was wrong, in one line; None when nothing was."""
    given = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        made = subprocess.run(
            command, env=given, capture_output=True, text=True, timeout=wait_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if made.returncode == 0:
        return None
    return (made.stderr.strip() or f"ended with {made.returncode}").splitlines()[-1]


if __name__ == "__main__":
    sys.exit(obtain() is None)
