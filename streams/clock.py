"""Time: aware UTC and whole milliseconds since 1970, from one place that tests can hold."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache


def now_ms() -> int:
    """Milliseconds since 1970, the resolution of the log's timestamps."""
    return time.time_ns() // 1_000_000


def from_ms(milliseconds: int) -> datetime:
    """The aware UTC time of a log timestamp."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@lru_cache(maxsize=1024)  # every fact of a batch tells the same few milliseconds
def iso(milliseconds: int) -> str:
    """`2026-11-23T16:07:09.123Z`, the form in which times leave Headgate."""
    return from_ms(milliseconds).strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03}Z"


@lru_cache(maxsize=1024)
def from_iso(text: str) -> int:
    """Milliseconds since 1970 of a time as `iso` tells it. Raises ValueError, also for a time
    without its offset from UTC."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time needs its offset from UTC")
    return round(at.timestamp() * 1000)
