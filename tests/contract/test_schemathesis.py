"""schemathesis hunts a running edge with the edge's own OpenAPI document, and finds nothing.

HEADGATE_HUNT_SECONDS (45) is how long it hunts; an hour finds more than a minute.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from bench.system import System, started

pytestmark = [pytest.mark.system, pytest.mark.timeout(4000)]

SECONDS = int(os.environ.get("HEADGATE_HUNT_SECONDS", "45"))
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
GRACE_S = 120
LINES_SHOWN = 200


async def hunted(system: System, seconds: int) -> tuple[int, str]:
    """The exit code of the hunt, and what it said."""
    host, port = system.edge
    pair = await system.create_merchant()
    hunter = Path(sys.executable).with_name("schemathesis")
    asked = await asyncio.create_subprocess_exec(
        *(str(hunter), "--config-file", str(CONFIGURATION), "--no-color"),
        *("run", f"http://{host}:{port}/openapi.json"),
        *("-H", f"X-Api-Key: {pair.key}", "-H", f"X-Api-Secret: {pair.secret}"),
        *("--max-time", str(seconds), "--continue-on-failure"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(asked.communicate(), seconds + GRACE_S)
    return asked.returncode or 0, said.decode()


async def test_a_hunt_through_the_whole_api_finds_nothing() -> None:
    """Examples, boundaries, random and broken requests, and whole chains of calls."""
    async with started() as system:
        code, said = await hunted(system, SECONDS)
    assert code == 0, "\n".join(said.splitlines()[-LINES_SHOWN:])
    assert "Stateful" in said
