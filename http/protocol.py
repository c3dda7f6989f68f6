"""uvicorn's HTTP/1.1 protocol with what it lacks: limits for headers, and refusals in JSON."""

from __future__ import annotations

import asyncio

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from headgate.http.exchange import ABORT
from headgate.http.gate import ALWAYS, LINGER_BYTES_MAX, LINGER_S
from headgate.http.problems import Problem
from headgate.http.problems_of_requests import HeadersTooLarge, HttpMalformed, RequestTimeout
from headgate.streams import ids
from headgate.streams.settings import Settings


class HeadersTooLargeError(Exception):
    """Ends the parsing of a request whose headers are beyond the limit."""


class EdgeProtocol(HttpToolsProtocol):
    """One connection. A request's headers must arrive in time and stay within their limits;
    uvicorn itself bounds neither with this parser."""

    settings: Settings

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._reading_head = True
        self._head_bytes = 0
        self._too_large = False
        self._refused = False
        self._refused_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(  # type: ignore[override]  # as uvicorn itself
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            self._linger(len(data))
            return
        super().data_received(data)
        if self._reading_head and not self.transport.is_closing():
            # A header without an end never reaches `on_header`.
            self._head_bytes += len(data)
            if self._head_bytes > self.settings.header_bytes_max:
                self._refuse(self._headers_too_large())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[ABORT] = self._abort  # type: ignore[literal-required]  # ours, not uvicorn's
        self._reading_head = True
        self._head_bytes = 0
        if self._head_timer is None:
            self._await_head()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._count(len(name) + len(value))

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if (
            self._head_bytes > self.settings.header_bytes_max
            or len(self.headers) > self.settings.headers_max
        ):
            self._too_large = True
            raise HeadersTooLargeError

    def on_headers_complete(self) -> None:
        self._reading_head = False
        self._head_arrived()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when its parser gives up, whatever the reason was."""
        if self._too_large:
            self._refuse(self._headers_too_large())
        else:
            self._refuse(HttpMalformed("This is not a valid HTTP/1.1 request."))

    def _headers_too_large(self) -> Problem:
        return HeadersTooLarge(
            f"The request line and headers are longer than {self.settings.header_bytes_max} "
            f"bytes, or the headers more than {self.settings.headers_max}."
        )

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(
            self.settings.body_wait_ms / 1000, self._head_is_late
        )

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _abort(self) -> None:
        """Cut the connection; what was not read by the client is lost."""
        self.transport.abort()

    def _head_is_late(self) -> None:
        if not self.transport.is_closing():
            self._refuse(RequestTimeout("The request did not arrive in time."))

    def _linger(self, size: int) -> None:
        """Read on, within limits: who closes on unread bytes makes the client lose the answer."""
        self._refused_bytes += size
        if self._refused_bytes > LINGER_BYTES_MAX:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        """Answer and close. A response that is under way is finished first; a request whose body
        went wrong is told that its client has left."""
        if self._refused:
            return
        self._head_arrived()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                cycle.keep_alive = False
                self.flow.pause_reading()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self._refused = True
        self.transport.write(_written(problem))
        self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(LINGER_S, self.transport.close)


def _written(problem: Problem) -> bytes:
    request_id = ids.draw_id("req_")
    response = problem.response(request_id)
    headers = [*response.raw_headers, (b"request-id", request_id.encode()), *ALWAYS]
    head = b"".join(b"%s: %s\r\n" % header for header in headers)
    return b"%s%s\r\n%s" % (STATUS_LINE[problem.status], head, bytes(response.body))


def protocol_of(settings: Settings) -> type[EdgeProtocol]:
    """The protocol with its limits; uvicorn makes one object per connection itself."""
    return type("BoundedEdgeProtocol", (EdgeProtocol,), {"settings": settings})
