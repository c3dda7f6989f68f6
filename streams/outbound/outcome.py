"""What becomes of one outgoing request: an answer, or a failure with its reason."""

from __future__ import annotations

from typing import Literal, NamedTuple

import httpx

from headgate.streams.errors import HeadgateError

FailureKind = Literal[
    "blocked",
    "crowded",
    "dns",
    "connect",
    "connect_timeout",
    "tls",
    "timeout",
    "closed",
    "protocol",
]
"""`blocked` is an address that must not be reached and is final; every other kind may pass. After
`crowded` nothing was sent: too much is under way to that address already."""


class Answer(NamedTuple):
    """A receiver's answer, whatever its status; times in milliseconds since the request began."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    """The first bytes of the body, as they were sent: nothing is decompressed."""
    truncated: bool
    """Whether more followed; it was not read."""
    connect_ms: float
    """When the connection stood: names looked up, TLS done. Near 0 on a pooled connection."""
    first_byte_ms: float
    duration_ms: float

    def header(self, name: str) -> str | None:
        """The first header of this name, such as `Retry-After`."""
        wanted = name.lower().encode()
        for key, value in self.headers:
            if key.lower() == wanted:
                return value.decode("latin-1")
        return None


class DeliveryFailed(HeadgateError):
    """There was no answer. `reason` is for people and tells nothing about our own network."""

    def __init__(self, reason: str, kind: FailureKind) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind
        self.duration_ms = 0.0


class StaleConnection(DeliveryFailed):
    """The receiver closed a connection before any byte of an answer; when the connection had
    been idle, the request was most likely never read and may be sent once more."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "closed")


class BlockedAddress(httpx.TransportError):
    """The host is, or resolves to, an address that webhooks must not be sent to."""


_HTTPX: dict[FailureKind, type[httpx.TransportError]] = {
    "blocked": BlockedAddress,
    "crowded": httpx.PoolTimeout,
    "dns": httpx.ConnectError,
    "connect": httpx.ConnectError,
    "connect_timeout": httpx.ConnectTimeout,
    "tls": httpx.ConnectError,
    "timeout": httpx.ReadTimeout,
    "closed": httpx.RemoteProtocolError,
    "protocol": httpx.RemoteProtocolError,
}


def as_httpx(failure: DeliveryFailed, request: httpx.Request) -> httpx.TransportError:
    """The failure in the vocabulary of httpx, for callers that use the transport directly."""
    return _HTTPX[failure.kind](failure.reason, request=request)
