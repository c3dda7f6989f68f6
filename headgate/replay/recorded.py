"""A record as it once stood on the log, and what hands out records of that kind."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from headgate.streams.errors import HeadgateError


class SourceUnreadable(HeadgateError):
    """A capture file that is cut or no capture, or a range of the log that is not there."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One record, byte for byte."""

    topic: str
    """The topic's name without the namespace's prefix, such as `payments.commands`."""
    partition: int
    offset: int
    at_ms: int
    """The record's own timestamp, in milliseconds since 1970: the time of a command (00 A1)."""
    key: bytes | None
    value: bytes | None
    """None is a tombstone."""
    headers: tuple[tuple[str, bytes], ...]


class Source(Protocol):
    """Where records come from: a capture file or a range of the log."""

    def records(self) -> AsyncGenerator[Recorded, None]:
        """The records by (at_ms, topic, partition, offset), each partition in its own order.

        A record whose timestamp is older than that of the one before it in its partition comes
        after it all the same. Every call begins anew. Raises SourceUnreadable, and of a range of
        the log LogUnavailable, both told for people. Whoever may leave before the end closes it
        (`contextlib.aclosing`): it may hold a connection.
        """
        ...

    async def count(self) -> int | None:
        """How many records there are, when it can be told beforehand; else None."""
        ...
