"""The bench's receivers: what a sender meets at each of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bench.client import Connection, request_bytes
from bench.sink import Received, Receiver


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    """Where a sink listens while the test runs."""
    received = Received()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Receiver(received), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


def post(path: str) -> bytes:
    """A webhook."""
    return request_bytes("POST", path, "sink", {"webhook-id": "evt_1"}, b"{}")


async def asked(port: int, request: bytes) -> tuple[int, bytes]:
    """Status and body."""
    connection = Connection("127.0.0.1", port)
    answer = await connection.ask(request)
    connection.close()
    return answer.status, answer.body


async def test_it_counts_what_it_takes_and_notes_when(port: int) -> None:
    assert await asked(port, post("/hook")) == (200, b"{}")
    assert await asked(port, post("/hook")) == (200, b"{}")
    stats = json.loads((await asked(port, request_bytes("GET", "/stats", "sink", {})))[1])
    assert (stats["requests"], stats["distinct"], stats["repeats"]) == (2, 1, 1)
    arrivals = json.loads((await asked(port, request_bytes("GET", "/arrivals", "sink", {})))[1])
    assert arrivals.keys() == {"evt_1"}


async def test_it_refuses_for_ever_where_it_is_asked_to(port: int) -> None:
    assert [(await asked(port, post("/refuse")))[0] for _ in range(3)] == [503] * 3
    stats = json.loads((await asked(port, request_bytes("GET", "/stats", "sink", {})))[1])
    assert (stats["refusals"], stats["distinct"]) == (3, 0)


async def test_its_gate_can_be_shut_and_opened(port: int) -> None:
    said = []
    for move in ("/shut", "/open"):
        assert (await asked(port, request_bytes("GET", move, "sink", {})))[0] == 200
        said.append((await asked(port, post("/gate")))[0])
    assert said == [503, 200]


async def test_a_reset_is_a_reset(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(post("/reset"))
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


@pytest.mark.parametrize("kind", ["drip", "flood"])
async def test_a_gigabyte_begins_and_ends_when_nobody_reads(port: int, kind: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(post(f"/{kind}"))
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"Content-Length: 1073741824" in head
    assert await reader.readexactly(1) == b"x"
    if kind == "flood":
        assert len(await reader.readexactly(300_000)) == 300_000
    writer.close()
    assert (await asked(port, post("/hook")))[0] == 200
