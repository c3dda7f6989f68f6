"""A small HTTP/1.1 client: what it burns is taken from the system that it measures."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import httptools


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def request_bytes(
    method: str, target: str, host: str, headers: Mapping[str, str], body: bytes = b""
) -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class _Wire(asyncio.Protocol):
    """One connection with at most one request in flight."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.answer: asyncio.Future[Answer] | None = None
        self._start()

    def _start(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionError(f"the answer is not HTTP: {error}"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin1").lower()] = value.decode("latin1")

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        answer = Answer(status, self._headers, b"".join(self._body))
        if not self._parser.should_keep_alive() and self.transport is not None:
            self.transport.close()
        self._start()
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._fail(ConnectionError(f"the connection was lost: {exc or 'closed'}"))

    def _fail(self, error: ConnectionError) -> None:
        if self.transport is not None:
            self.transport.abort()
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(error)


class Connection:
    """A keep-alive connection to one server; it connects when it must."""

    def __init__(
        self, host: str, port: int, *, timeout_s: float = 20, tls: ssl.SSLContext | None = None
    ) -> None:
        self._host, self._port, self._timeout_s = host, port, timeout_s
        self._tls = tls
        self._wire: _Wire | None = None

    async def ask(self, request: bytes) -> Answer:
        """Send a request and wait for its answer.

        Raises OSError when the connection fails, TimeoutError after `timeout_s`; either way the
        server may have done what was asked.
        """
        wire, transport = await self._connected()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        wire.answer = answer
        late = loop.call_later(self._timeout_s, self._give_up, answer)
        try:
            transport.write(request)
            return await answer
        finally:
            late.cancel()

    async def _connected(self) -> tuple[_Wire, asyncio.Transport]:
        wire = self._wire
        if wire is None or wire.transport is None or wire.transport.is_closing():
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(self._timeout_s):
                _, wire = await loop.create_connection(_Wire, self._host, self._port, ssl=self._tls)
            self._wire = wire
        if wire.transport is None:
            raise ConnectionError("the connection was lost as soon as it was made")
        return wire, wire.transport

    def _give_up(self, answer: asyncio.Future[Answer]) -> None:
        self.close()
        if not answer.done():
            answer.set_exception(TimeoutError(f"no answer within {self._timeout_s} s"))

    def close(self) -> None:
        """Drop the connection; the next request opens another."""
        if self._wire is not None and self._wire.transport is not None:
            self._wire.transport.abort()
        self._wire = None
