"""`headgate dashboard`: a process of its own that acts through a running edge."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import httpx
import pytest

from headgate.embedded import process
from headgate.embedded.stack import Stack
from headgate.streams.settings import Settings
from tests.system.harness_edge import free_port
from tests.system.harness_place import opened, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]


async def test_it_answers_without_an_edge_and_ends_when_it_is_told(
    stack: Stack, tmp_path: Path
) -> None:
    async with opened(stack) as place:
        port = free_port()
        environment = {**place.environment, "HEADGATE_DASHBOARD_PORT": str(port)}
        environment["HEADGATE_EDGE_URL"] = f"http://127.0.0.1:{free_port()}"
        command = [sys.executable, "-m", "headgate", "dashboard"]
        child = await process.start(command, tmp_path / "log", environment=environment)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def answers() -> bool:
                assert child.returncode is None, (tmp_path / "log").read_text()
                try:
                    return (await client.get("/dashboard/keys")).status_code == 303
                except httpx.TransportError:
                    return False

            await until(answers, 20, "the dashboard answers")
        child.send_signal(signal.SIGTERM)
        assert await child.wait() == 0


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:8000", "http://x/path", "http://x y"])
def test_the_edges_address_must_be_one(url: str) -> None:
    with pytest.raises(ValueError, match="edge_url"):
        Settings(edge_url=url)
