"""A real local HTTP server that answers as a test tells it, and a way out to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from headgate.streams.outbound.resolver import Lookup
from headgate.streams.outbound.transport import Answer, DeliveryFailed, PinnedTransport
from headgate.streams.settings import Settings

BODY = b'{"event":"payment.success"}'
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

PUBLIC = "93.184.215.14"


class Names:
    """A name server that a test writes the zone of."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def lookup(self, _host: str, _port: int) -> list[str]:
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found


Script = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


class Receiver:
    """A server that reads whole requests and lets a script answer the n-th of them."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[bytes] = []
        self.connections = 0
        self.url = ""
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while not writer.is_closing():
                    await self.read(reader)
                    await self.script(len(self.requests), writer)
        finally:
            writer.close()

    async def read(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        self.requests.append(head + await reader.readexactly(length))


def answering(*answers: bytes, close: bool = False) -> Script:
    """A script that gives these answers in turn, and the last one from then on."""

    async def script(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(answers[min(number, len(answers)) - 1])
        if close:
            writer.close()

    return script


@asynccontextmanager
async def receiver(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    served = Receiver(script)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0, ssl=tls)
    served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield served
    finally:
        server.close()
        for task in served.tasks:
            task.cancel()
        await asyncio.gather(*served.tasks, return_exceptions=True)


@asynccontextmanager
async def transport(
    lookup: Lookup | None = None, **changes: object
) -> AsyncIterator[PinnedTransport]:
    settings = Settings.model_validate({"webhook_allow_loopback": True, **changes})
    async with PinnedTransport(settings, lookup=lookup) as made:
        yield made


async def post(way_out: PinnedTransport, url: str, timeout_ms: int = 5000) -> Answer:
    return await way_out.post(url, BODY, {"webhook-id": "evt_1"}, timeout_ms)


async def fails(way_out: PinnedTransport, url: str, kind: str, timeout_ms: int = 5000) -> str:
    with pytest.raises(DeliveryFailed) as caught:
        await post(way_out, url, timeout_ms)
    assert caught.value.kind == kind
    return caught.value.reason


async def hang(_number: int, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def until(condition: Callable[[], bool]) -> None:
    """Wait, for five seconds at most, for something that the loop does in passing."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.005)
