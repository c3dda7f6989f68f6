"""A real edge on three ports: the seed's clients find theirs at 3000 and 3001 (01 §1.1)."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from headgate.embedded.stack import Stack
from tests.system.harness_edge import free_port, running_edge, with_demo
from tests.system.harness_place import opened

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]


async def test_every_port_answers_the_same_and_all_are_let_go(stack: Stack, tmp_path: Path) -> None:
    more = [free_port(), free_port()]
    ports = {"HEADGATE_HTTP_MORE_PORTS": ",".join(map(str, more))}
    async with opened(stack) as place, httpx.AsyncClient() as client:
        async with running_edge(await with_demo(place), tmp_path, **ports) as edge:
            for port in [edge.port, *more]:
                answer = await client.get(f"http://127.0.0.1:{port}/health")
                assert (answer.status_code, answer.text) == (200, "OK")
        assert edge.process.returncode == 0, edge.tail()
        for port in more:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"http://127.0.0.1:{port}/health")
