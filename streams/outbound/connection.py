"""One HTTP/1.1 connection to a receiver: one request at a time, every answer bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from headgate.streams.outbound.outcome import DeliveryFailed, FailureKind, StaleConnection

Key = tuple[str, str, int, str]
"""Scheme, host, port and vetted address: what must be equal for a connection to be used again."""

_FIRST_FINAL_STATUS = 200
_SWITCHING_PROTOCOLS = 101


_FRAMING = 8
"""Bytes on the wire per byte of a body at most: a chunk of one byte takes six, and extensions of
chunks and trailers, which have no end of their own, must not be read for ever."""


class Limits(NamedTuple):
    """Of an answer: the longest header block, and how much of the body is read and kept."""

    header_bytes_max: int
    body_bytes_max: int

    @property
    def received_max(self) -> int:
        """Bytes of an answer that are read, whatever they are."""
        return self.header_bytes_max + _FRAMING * self.body_bytes_max


class RawAnswer(NamedTuple):
    """An answer with its time of arrival on the loop's clock."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    truncated: bool
    first_byte_at: float


class Connection(asyncio.Protocol):
    """Sends bytes and parses what comes back. Nothing that a receiver sends makes it wait longer
    than the deadline or hold more than the limits; then the connection is closed."""

    def __init__(
        self,
        key: Key,
        limits: Limits,
        on_free: Callable[[Connection], None],
        on_lost: Callable[[Connection], None],
    ) -> None:
        self.key = key
        self._limits = limits
        self._on_free = on_free
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport  # from connection_made, before anything else happens
        self._timer: asyncio.TimerHandle  # of the exchange in flight
        self._waiter: asyncio.Future[RawAnswer] | None = None
        self._clear()

    def _clear(self) -> None:
        """Forget the last answer."""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._header_bytes = 0
        self._body_bytes = 0
        self._received = 0
        self._first_byte_at = 0.0
        self._in_body = False
        self._complete = False
        self._reusable = True

    # What the transport uses

    @property
    def is_open(self) -> bool:
        """Whether a request may still be written."""
        return not self._transport.is_closing()

    async def exchange(self, request: bytes, deadline: float) -> RawAnswer:
        """Send one request and return its answer, all before `deadline` (on the loop's clock).

        Raises DeliveryFailed of kind timeout, closed or protocol; the connection is then closed.
        """
        self._clear()
        waiter: asyncio.Future[RawAnswer] = self._loop.create_future()
        self._waiter = waiter
        self._timer = self._loop.call_at(deadline, self._expire, waiter)
        self._transport.write(request)
        try:
            return await waiter
        except asyncio.CancelledError:
            self.abort()
            raise

    def abort(self) -> None:
        """Close at once, without waiting for the peer."""
        self._transport.abort()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        waiter = self._waiter
        if waiter is None:
            self.abort()  # Nobody asked: what the peer says next would be no answer either.
            return
        if not self._received:
            self._first_byte_at = self._loop.time()
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._reusable = False
            if not self._enough():
                self._fail(waiter, f"the answer is not HTTP: {error}", "protocol")
                return
        self._judge(waiter)

    def connection_lost(self, error: Exception | None) -> None:
        self._reusable = False
        self._on_lost(self)
        waiter = self._waiter
        if waiter is None:
            return
        if error is None and self._ends_with_the_connection():
            self._finish(waiter, truncated=False)
        elif self._received:
            self._fail(waiter, "the receiver closed in the middle of its answer", "closed")
        else:
            self._settle()
            if not waiter.done():
                waiter.set_exception(StaleConnection("the receiver closed without an answer"))

    # What the parser calls; exceptions must not leave these

    def on_message_begin(self) -> None:
        if self._complete:
            self._reusable = False  # A second answer to one request: out of step.

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value) + 4
        if not self._complete:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_body = True

    def on_body(self, data: bytes) -> None:
        if self._body_bytes <= self._limits.body_bytes_max and not self._complete:
            self._body.append(data)
        self._body_bytes += len(data)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < _FIRST_FINAL_STATUS and status != _SWITCHING_PROTOCOLS:
            self._headers.clear()  # 100 Continue, 103 Early Hints: the answer is still to come.
            self._in_body = False
        else:
            self._complete = True
            if status == _SWITCHING_PROTOCOLS or not self._parser.should_keep_alive():
                self._reusable = False

    # Endings

    def _judge(self, waiter: asyncio.Future[RawAnswer]) -> None:
        """After each piece: is the answer whole, long enough, or too long?"""
        header_bytes = self._header_bytes if self._in_body else self._received
        limits = self._limits
        if header_bytes > limits.header_bytes_max:
            reason = f"the answer's headers are longer than {limits.header_bytes_max} bytes"
            self._fail(waiter, reason, "protocol")
        elif self._enough():
            whole = self._complete and self._body_bytes <= limits.body_bytes_max
            self._finish(waiter, truncated=not whole)

    def _enough(self) -> bool:
        """Whether the answer is whole, or as much of it was read as is kept."""
        limits = self._limits
        return (
            self._complete
            or self._body_bytes > limits.body_bytes_max
            or (self._in_body and self._received > limits.received_max)
        )

    def _ends_with_the_connection(self) -> bool:
        """HTTP/1.0 and `Connection: close` may end a body by closing, if no length was told."""
        framed = (b"content-length", b"transfer-encoding")
        return self._in_body and not any(name.lower() in framed for name, _ in self._headers)

    def _finish(self, waiter: asyncio.Future[RawAnswer], *, truncated: bool) -> None:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        answer = RawAnswer(
            self._parser.get_status_code(),
            self._headers,
            body[: self._limits.body_bytes_max],
            truncated,
            self._first_byte_at,
        )
        self._settle()
        if not waiter.done():
            waiter.set_result(answer)
        if self._reusable and not truncated:
            self._on_free(self)
        else:
            self._leave()

    def _leave(self) -> None:
        """Say goodbye to a receiver that has said all; hang up on one that still talks."""
        if self._complete:
            self._transport.close()
        else:
            self.abort()

    def _fail(self, waiter: asyncio.Future[RawAnswer], reason: str, kind: FailureKind) -> None:
        self._settle()
        if not waiter.done():
            waiter.set_exception(DeliveryFailed(reason, kind))
        self.abort()

    def _expire(self, waiter: asyncio.Future[RawAnswer]) -> None:
        began = "the answer did not end" if self._received else "no answer"
        self._fail(waiter, f"{began} within the time limit", "timeout")

    def _settle(self) -> None:
        """Stop the clock: from here on nothing can end this exchange a second time."""
        self._timer.cancel()
        self._waiter = None
