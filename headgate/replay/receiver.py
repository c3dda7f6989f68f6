"""The run's own webhook receiver: verifies, counts, remembers what arrived, answers at once."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import httptools

from headgate.streams.errors import HeadgateError, SignatureInvalid
from headgate.streams.signatures import verify

IDS_MAX = 20_000_000
"""Webhooks that one run can tell apart; beyond it nothing is remembered, and the verdict says so.
Each costs some 70 bytes of memory and 8 of its file."""
BODY_BYTES_MAX = 1 << 20
EXAMPLES_MAX = 20
"""Wrong webhooks that are remembered by their ids."""
CONNECTIONS_WAITING_MAX = 1024
_PRINT_BYTES = 8


class ArrivalsUnreadable(HeadgateError):
    """The file of what a run's receiver has seen cannot be read or written."""


def print_of(webhook_id: str, body: bytes) -> int:
    """What is remembered of a webhook: 64 bits of a hash over its id and bytes. A repeat with other
    bytes has another print, so a set of prints proves both."""
    digest = hashlib.sha256(webhook_id.encode() + b"\n" + body).digest()
    return int.from_bytes(digest[:_PRINT_BYTES], "little")


class Arrivals:
    """Which webhooks came. With a file it survives the death of its process: what was answered 200
    is in the file before, so that `--resume` knows what an earlier sitting has received."""

    def __init__(self, secret: str, file: Path | None = None) -> None:
        """Raises ArrivalsUnreadable when the file is there but cannot be read or written."""
        self._secret = secret
        self._prints: set[int] = set()
        self._file = None if file is None else self._opened(file)
        self.requests = 0
        """Signed webhooks of this sitting, repeats included."""
        self.repeats = 0
        """Those that had come before, byte for byte."""
        self.unsigned = 0
        """Requests whose signature was wrong or missing (I10)."""
        self.forgotten = 0
        """Webhooks beyond `IDS_MAX`."""
        self.complaints: list[str] = []
        """Why requests were refused, with their ids; the first `EXAMPLES_MAX`."""

    def _opened(self, file: Path) -> int:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            raw = file.read_bytes()
            whole = len(raw) - len(raw) % _PRINT_BYTES
            os.ftruncate(handle, whole)  # A sitting that died in the middle of a print.
        except OSError as error:
            raise ArrivalsUnreadable(f"{file} cannot be used: {error.strerror}") from error
        known = array("Q")
        known.frombytes(raw[:whole])
        self._prints.update(known)
        return handle

    @property
    def distinct(self) -> int:
        """Webhooks that came at least once, in this sitting or an earlier one."""
        return len(self._prints)

    def has(self, webhook_id: str, body: bytes) -> bool:
        """Whether this webhook has arrived with exactly these bytes."""
        return print_of(webhook_id, body) in self._prints

    def take(self, headers: Mapping[str, str], body: bytes, now_s: float) -> int:
        """Count a request and give the status of its answer."""
        webhook_id = headers.get("webhook-id", "")
        try:
            verify(self._secret, headers, body, now=now_s)
        except SignatureInvalid as invalid:
            self._complain(f"{webhook_id or 'without a webhook-id'}: {invalid}")
            self.unsigned += 1
            return 400
        self.requests += 1
        self._remember(print_of(webhook_id, body))
        return 200

    def _remember(self, seen: int) -> None:
        if seen in self._prints:
            self.repeats += 1
        elif len(self._prints) >= IDS_MAX:
            self.forgotten += 1
        else:
            if self._file is not None:
                os.write(self._file, array("Q", [seen]).tobytes())
            self._prints.add(seen)

    def _complain(self, why: str) -> None:
        if len(self.complaints) < EXAMPLES_MAX:
            self.complaints.append(why)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class Connection(asyncio.Protocol):
    """One connection of a sender. It answers before it reads on, which is all HTTP that it needs;
    the sender is our own `deliver`, and keeps its connections."""

    def __init__(self, arrivals: Arrivals, every: set[Connection]) -> None:
        """It is in `every` as long as it is open."""
        self._arrivals = arrivals
        self._every = every
        self._transport: asyncio.Transport | None = None
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._every.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._every.discard(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin1").lower()] = value.decode("latin1")

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > BODY_BYTES_MAX:
            self.abort()

    def on_message_complete(self) -> None:
        status = self._arrivals.take(self._headers, bytes(self._body), time.time())
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"HTTP/1.1 %d -\r\nContent-Length: 0\r\n\r\n" % status)
        self._begin()

    def abort(self) -> None:
        """Let go of it at once, whatever was on its way."""
        if self._transport is not None:
            self._transport.abort()


class Receiver:
    """Listens on a free port of loopback for as long as a run lasts."""

    def __init__(self, arrivals: Arrivals, host: str = "127.0.0.1") -> None:
        self.arrivals = arrivals
        self._host = host
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()

    @property
    def url(self) -> str:
        """Where webhooks are to be sent. It must have been started."""
        assert self._server is not None  # noqa: S101  the caller's mistake
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}/webhooks"

    async def start(self) -> None:
        """Listen. What it is sent before anybody looks waits in its queue."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self.arrivals, self._connections),
            self._host,
            0,
            backlog=CONNECTIONS_WAITING_MAX,
        )

    async def stop(self) -> None:
        """Listen no more. What is sent afterwards is refused, and tried again by its sender: also
        over connections that it has kept, since nothing would remember it."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._connections):
            connection.abort()
        self.arrivals.close()
