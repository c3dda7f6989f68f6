"""The one way out: signed webhooks leave over connections that are pinned to vetted addresses."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import httpx

from headgate.streams.errors import WebhookUrlForbidden
from headgate.streams.outbound.connection import Connection, Key, Limits, RawAnswer
from headgate.streams.outbound.crowd import Crowd
from headgate.streams.outbound.outcome import (
    Answer,
    BlockedAddress,
    DeliveryFailed,
    FailureKind,
    StaleConnection,
    as_httpx,
)
from headgate.streams.outbound.pool import IdleConnections
from headgate.streams.outbound.resolver import Lookup, Resolver
from headgate.streams.settings import Settings
from headgate.streams.sinks import Sinks
from headgate.streams.targets import Target

__all__ = ["Answer", "BlockedAddress", "DeliveryFailed", "FailureKind", "PinnedTransport"]

_ADDRESSES_TRIED_MAX = 4
_METHODS = {"DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"}
"""No HEAD, whose answer ends where no other answer would, and no CONNECT."""


class _Route(NamedTuple):
    """A URL that may be sent to, with the part of the request that is the same every time."""

    target: Target
    head: bytes


@lru_cache(maxsize=4096)
def _route(url: str, sinks: Sinks, livemode: bool) -> _Route:
    target = sinks.check_url(url, livemode=livemode)
    head = (
        f"POST {target.path} HTTP/1.1\r\nhost: {target.authority}\r\nuser-agent: Headgate\r\n"
        "accept: */*\r\ncontent-type: application/json\r\n"
    )
    return _Route(target, head.encode())


class PinnedTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 to receivers that may be hostile (04 §9.7, §10).

    Every address a name resolves to is filtered, and the connection goes to one of those and
    nowhere else; TLS is checked against the original name. One deadline covers looking up,
    connecting, writing, headers and body. No redirects, no proxies from the environment, no
    decompression. `post` is the fast path; `handle_async_request` serves `httpx.AsyncClient`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        tls: ssl.SSLContext | None = None,
        lookup: Lookup | None = None,
    ) -> None:
        self._sinks = Sinks.of(settings)
        self._timeout_ms = settings.webhook_timeout_ms
        self._limits = Limits(settings.webhook_header_bytes_max, settings.webhook_answer_bytes_max)
        self._idle = IdleConnections(
            idle_s=settings.webhook_idle_s,
            # One host may serve many endpoints: what is under way there at once comes back.
            per_key_max=settings.webhook_address_in_flight_max,
            total_max=settings.webhook_idle_max,
        )
        self._crowd = Crowd(settings.webhook_address_in_flight_max)
        self._resolver = Resolver(settings, lookup)
        self._tls = tls or _default_tls()

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout_ms: int,
        *,
        livemode: bool = False,
    ) -> Answer:
        """POST JSON bytes; any status is an answer. Raises DeliveryFailed when there was none.

        `headers` come on top of host, user-agent, accept, content-type and content-length, and
        must not repeat those. `livemode` refuses http and addresses in place of a name.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        block = _checked(lines.encode("latin-1"), len(headers))
        try:
            target, head = _route(url, self._sinks, livemode)
            request = b"%b%bcontent-length: %d\r\n\r\n%b" % (head, block, len(body), body)
            return await self._send(target, request, began, began + timeout_ms / 1000)
        except WebhookUrlForbidden as forbidden:
            raise DeliveryFailed(str(forbidden), "blocked") from None
        except DeliveryFailed as failure:
            failure.duration_ms = (loop.time() - began) * 1000
            raise

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request of httpx. Its read timeout, if set, is the deadline for the whole of it."""
        began = asyncio.get_running_loop().time()
        timeout = request.extensions.get("timeout", {}).get("read")
        deadline = began + (self._timeout_ms / 1000 if timeout is None else timeout)
        try:
            target, _ = _route(str(request.url), self._sinks, False)
            answer = await self._send(target, await _serialized(request), began, deadline)
        except WebhookUrlForbidden as forbidden:
            raise BlockedAddress(str(forbidden), request=request) from None
        except DeliveryFailed as failure:
            raise as_httpx(failure, request) from None
        # Without its content-encoding httpx leaves the body as it is: 16 kB cannot become 16 MB.
        kept = [pair for pair in answer.headers if pair[0].lower() != b"content-encoding"]
        return httpx.Response(answer.status, headers=kept, content=answer.body, request=request)

    async def aclose(self) -> None:
        """Close idle connections; those in use close with their answers."""
        self._idle.close()
        self._resolver.close()
        await asyncio.sleep(0)  # Connections close in the loop's next turn.

    async def _send(self, target: Target, request: bytes, began: float, deadline: float) -> Answer:
        addresses = self._resolver.known(target)
        if addresses is None:
            addresses = await self._resolve(target, deadline)
        loop = asyncio.get_running_loop()
        connected = loop.time()
        raw = await self._send_on_idle(target, addresses, request, deadline)
        if raw is None:
            connected, raw = await self._send_on_new(target, addresses, request, deadline)
        return Answer(
            raw.status,
            raw.headers,
            raw.body,
            raw.truncated,
            (connected - began) * 1000,
            (raw.first_byte_at - began) * 1000,
            (loop.time() - began) * 1000,
        )

    async def _send_on_idle(
        self, target: Target, addresses: list[str], request: bytes, deadline: float
    ) -> RawAnswer | None:
        """None when no connection is idle, or when the receiver had closed it in the meantime."""
        for address in addresses:
            connection = self._idle.take((target.scheme, target.host, target.port, address))
            if connection is None:
                continue
            try:
                with self._crowd.place(address, target.resource):
                    return await connection.exchange(request, deadline)
            except StaleConnection:
                return None
            except DeliveryFailed as failure:
                if failure.kind != "crowded":
                    raise
                self._idle.put(connection)
        return None

    async def _resolve(self, target: Target, deadline: float) -> list[str]:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._resolver.resolve(target)
        except TimeoutError:
            reason = f"the name {target.host} was not found within the time limit"
            raise DeliveryFailed(reason, "connect_timeout") from None

    async def _send_on_new(
        self, target: Target, addresses: list[str], request: bytes, deadline: float
    ) -> tuple[float, RawAnswer]:
        """The first address that answers; each gets its share of the time that is left. Also tells
        when the connection stood."""
        loop = asyncio.get_running_loop()
        tried = addresses[:_ADDRESSES_TRIED_MAX]
        failure = DeliveryFailed(f"the name {target.host} has no address", "dns")
        for number, address in enumerate(tried):
            now = loop.time()
            until = now + (deadline - now) / (len(tried) - number)
            try:
                with self._crowd.place(address, target.resource):
                    async with asyncio.timeout_at(until):
                        connection = await self._connect_to(target, address)
                    return loop.time(), await connection.exchange(request, deadline)
            except OSError as error:
                failure = _no_connection(target, error)
            except DeliveryFailed as error:
                if error.kind != "crowded":
                    raise
                failure = error
        raise failure

    async def _connect_to(self, target: Target, address: str) -> Connection:
        key: Key = (target.scheme, target.host, target.port, address)
        secure = target.scheme == "https"
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(key, self._limits, self._idle.put, self._idle.forget),
            address,
            target.port,
            ssl=self._tls if secure else None,
            server_hostname=target.host if secure else None,
        )
        return connection


def _default_tls() -> ssl.SSLContext:
    """Verification is always on (04 §10.9); SSL_CERT_FILE adds a company's own authority."""
    context = httpx.create_ssl_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _no_connection(target: Target, error: OSError) -> DeliveryFailed:
    place = f"{target.host}:{target.port}"
    if isinstance(error, TimeoutError):
        return DeliveryFailed(f"{place} did not accept a connection in time", "connect_timeout")
    if isinstance(error, ssl.SSLCertVerificationError):
        return DeliveryFailed(f"the certificate of {place}: {error.verify_message}", "tls")
    if isinstance(error, ssl.SSLError):
        return DeliveryFailed(f"TLS with {place} failed: {error.reason or 'no reason'}", "tls")
    return DeliveryFailed(f"{place} refused the connection", "connect")


def _checked(block: bytes, headers: int) -> bytes:
    """Refuse a header block in which a value starts a line of its own (header injection)."""
    if block.count(b"\n") != headers or block.count(b"\r") != headers or b"\0" in block:
        raise ValueError("A header holds a line break; it must be one line.")
    return block


async def _serialized(request: httpx.Request) -> bytes:
    """The request as bytes, its body in one piece."""
    if request.method not in _METHODS:
        raise httpx.UnsupportedProtocol(f"Webhooks are not sent with {request.method}.")
    raw = request.headers.raw
    try:
        body = request.content
    except httpx.RequestNotRead:
        body = await request.aread()
        framing = (b"content-length", b"transfer-encoding")
        raw = [pair for pair in raw if pair[0].lower() not in framing]
        raw.append((b"content-length", b"%d" % len(body)))
    block = _checked(b"".join([b"%b: %b\r\n" % pair for pair in raw]), len(raw))
    start = b"%b %b HTTP/1.1\r\n" % (request.method.encode(), request.url.raw_path)
    return b"%b%b\r\n%b" % (start, block, body)
