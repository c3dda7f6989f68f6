"""schemathesis hunts a running edge with the edge's own OpenAPI document, and finds nothing.

HEADGATE_HUNT_SECONDS (45) is how long it hunts; an hour finds more than a minute.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from bench.client import Answer, Connection
from bench.merchant import KNOWN_WITHIN_S, Merchant, new_merchant
from bench.system import System, started
from tests.system.harness_place import until

pytestmark = [pytest.mark.system, pytest.mark.timeout(4000)]

SECONDS = int(os.environ.get("HEADGATE_HUNT_SECONDS", "45"))
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
GRACE_S = 120
CREATED = 201
KEY_HEADERS = ("X-Api-Key", "X-Api-Secret")
LINES_SHOWN = 200


async def paid(merchant: Merchant) -> str:
    """Where a payment of the merchant's stands on the log, as soon as the edge knows them."""
    connection = Connection(merchant.host, merchant.port)
    request = merchant.payment("hunt", 1)
    answers: list[Answer] = []

    async def taken() -> bool:
        answers.append(await connection.ask(request))
        return answers[-1].status == CREATED

    await until(taken, KNOWN_WITHIN_S, "a payment of a new merchant")
    connection.close()
    return answers[-1].headers["log-position"]


async def hunted(system: System, seconds: int) -> tuple[int, str]:
    """The exit code of the hunt, and what it said."""
    host, port = system.edge
    merchant = await new_merchant(system)
    position = await paid(merchant)
    hunter = Path(sys.executable).with_name("schemathesis")
    asked = await asyncio.create_subprocess_exec(
        *(str(hunter), "--config-file", str(CONFIGURATION), "--no-color"),
        *("run", f"http://{host}:{port}/openapi.json"),
        *(part for name in KEY_HEADERS for part in ("-H", f"{name}: {merchant.headers[name]}")),
        *("--max-time", str(seconds), "--continue-on-failure"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "HUNT_POSITION": position},
    )
    said, _ = await asyncio.wait_for(asked.communicate(), seconds + GRACE_S)
    return asked.returncode or 0, said.decode()


async def test_a_hunt_through_the_whole_api_finds_nothing() -> None:
    """Examples, boundaries, random and broken requests, and whole chains of calls."""
    async with started() as system:
        code, said = await hunted(system, SECONDS)
    assert code == 0, "\n".join(said.splitlines()[-LINES_SHOWN:])
    assert "Stateful" in said
