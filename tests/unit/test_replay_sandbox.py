"""What a run needs of its target, and what is said when it does not get it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from headgate.replay import sandbox
from headgate.replay.sandbox import ReceiverForbidden, Sandbox, SandboxRefused, subscribed
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres

NEW = Sandbox("mer_1", "key_test_1", "secret_test_1", webhook_secret="whsec_1", own=True)
SETTINGS = Settings()


class Edge:
    """Answers in turn, the last answer for ever, and remembers what it was asked."""

    def __init__(self, *answers: tuple[int, dict[str, str]]) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, dict[str, object]]] = []
        self.keys: list[str] = []
        self.serving: set[asyncio.Task[object]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        try:
            while True:
                writer.write(await self._answer(reader))
        except asyncio.IncompleteReadError:
            writer.close()
            await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        body = json.loads(await reader.readexactly(length))
        self.keys.append(head.decode().lower().partition("idempotency-key: ")[2].split("\r\n")[0])
        self.asked.append((head.decode().split(" HTTP")[0], body))
        status, told = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        raw = json.dumps(told).encode()
        return f"HTTP/1.1 {status} -\r\nContent-Length: {len(raw)}\r\n\r\n".encode() + raw


@asynccontextmanager
async def answering(edge: Edge) -> AsyncIterator[str]:
    """The URL of an edge for as long as the block runs."""
    server = await asyncio.start_server(edge.serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.gather(*edge.serving)


async def asked_of(url: str, known: Sandbox = NEW, run_id: str = "run_a") -> Sandbox:
    """The sandbox with its webhooks coming to a receiver."""
    nowhere, receiver = cast(Postgres, None), "http://127.0.0.1:9/webhooks"
    return await subscribed(known, receiver, SETTINGS, postgres=nowhere, edge=url, run_id=run_id)


async def test_an_edge_is_waited_for_until_it_knows_the_merchant() -> None:
    edge = Edge((401, {"detail": "unknown"}), (503, {}), (201, {"id": "whe_1"}))
    async with answering(edge) as url:
        made = await asked_of(url)
    assert (made.endpoint_id, made.receiver_url) == ("whe_1", "http://127.0.0.1:9/webhooks")
    [first, _, last] = edge.asked
    assert first == last
    assert first[0] == "POST /api/v1/webhook_endpoints"
    assert (first[1]["event_types"], first[1]["secret"]) == (["*"], "whsec_1")


async def test_a_run_that_goes_on_moves_its_endpoint_and_keeps_its_secret() -> None:
    edge = Edge((200, {"id": "whe_1"}))
    async with answering(edge) as url:
        made = await asked_of(url)
        moved = await asked_of(url, Sandbox.remembered(made.record))
    assert moved == made
    assert edge.asked[1] == (
        "PATCH /api/v1/webhook_endpoints/whe_1",
        {"url": "http://127.0.0.1:9/webhooks"},
    )


async def test_two_runs_for_one_merchant_make_an_endpoint_each() -> None:
    edge = Edge((201, {"id": "whe_1"}), (201, {"id": "whe_2"}))
    async with answering(edge) as url:
        for run_id in ("run_a", "run_b", "run_b"):
            await asked_of(url, run_id=run_id)
    assert edge.keys == ["replay-run_a", "replay-run_b", "replay-run_b"]


async def test_an_edge_that_never_knows_the_merchant_is_told_with_what_to_look_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sandbox, "KNOWN_WITHIN_S", 0.05)
    async with answering(Edge((401, {"detail": "There is no such key."}))) as url:
        with pytest.raises(SandboxRefused, match="HEADGATE_POSTGRES") as refused:
            await asked_of(url)
    assert "There is no such key." in str(refused.value)
    with pytest.raises(SandboxRefused, match="did not answer"):
        await asked_of(url)


async def test_a_receiver_that_is_forbidden_is_told_apart_from_other_refusals() -> None:
    async with answering(Edge((422, {"detail": "loopback"}), (400, {"detail": "too many"}))) as url:
        with pytest.raises(ReceiverForbidden, match="loopback"):
            await asked_of(url)
        with pytest.raises(SandboxRefused, match=r"\(400\): too many"):
            await asked_of(url)


def test_secrets_stand_in_the_record_and_in_no_word() -> None:
    assert Sandbox.remembered(json.loads(json.dumps(NEW.record))) == NEW
    assert "secret_test_1" not in repr(NEW)
    assert "whsec_1" not in repr(NEW)
