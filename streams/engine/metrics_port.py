"""The port on which a worker answers Prometheus: `GET /metrics`, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from http import HTTPStatus

from prometheus_client import CollectorRegistry, generate_latest

from headgate.streams.bus import delays_s
from headgate.streams.settings import Settings

log = logging.getLogger(__name__)

PORT_OF_ROLE = {"settle": 0, "acquire": 1, "notify": 2}
"""How far behind the first port a role listens: the three share one environment."""
REQUEST_BYTES_MAX = 8192
"""Longest request with its headers."""
REQUEST_WAIT_S = 5.0
"""How long a request may take to arrive, and its answer to leave."""
CONNECTIONS_MAX = 16
"""Connections at a time; others are closed at once."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class MetricsPort:
    """Answers from the worker's own loop, so that what is counted does not change meanwhile."""

    def __init__(self, settings: Settings, role: str, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._registry = registry
        self._open = 0
        first = settings.worker_metrics_port
        self.port = first and first + PORT_OF_ROLE.get(role, 0)
        """0 when there is none."""

    async def run(self) -> None:
        """Listen for ever. A port that is taken is tried again: no worker ends for it."""
        host = self._settings.worker_metrics_host
        limits = self._settings.retry_backoff_ms, self._settings.retry_backoff_max_ms
        for delay in delays_s(*limits):
            if not self.port:
                return
            try:
                server = await asyncio.start_server(
                    self._serve, host, self.port, limit=REQUEST_BYTES_MAX
                )
            except OSError as error:
                log.warning(
                    "no metrics on %s:%s, next try in %s s: %s", host, self.port, delay, error
                )
                await asyncio.sleep(delay)
                continue
            async with server:
                await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= CONNECTIONS_MAX:
                async with asyncio.timeout(REQUEST_WAIT_S):
                    request = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._answer(request))
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked has gone, or does not speak HTTP
        finally:
            self._open -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _answer(self, request: bytes) -> bytes:
        method, _, rest = request.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if path != b"/metrics":
            return _http(HTTPStatus.NOT_FOUND, b"GET /metrics\n")
        if method not in (b"GET", b"HEAD"):
            return _http(HTTPStatus.METHOD_NOT_ALLOWED, b"GET /metrics\n")
        text = generate_latest(self._registry)
        return _http(HTTPStatus.OK, text, with_body=method == b"GET")


def _http(status: HTTPStatus, body: bytes, *, with_body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {CONTENT_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
