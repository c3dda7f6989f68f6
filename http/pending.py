"""Operations that were answered 202: remembered in Redis until they are decided."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson

from headgate.http.cache import Cache
from headgate.http.submission import Submission
from headgate.streams.errors import CacheUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey

ASK_AGAIN = {"Retry-After": "1"}
"""The headers of an answer that says: not yet."""


def pending(submission: Submission) -> dict[str, Any]:
    """An operation that is not decided, as its client sees it."""
    return {
        "id": submission.command_id,
        "object": "operation",
        "type": submission.type,
        "payment_id": submission.payment_id,
        "status": "pending",
    }


class Pending:
    """So that any edge can show them. Best effort: without Redis, PostgreSQL is waited for."""

    def __init__(self, settings: Settings, cache: Cache) -> None:
        self._cache = cache
        self._kept_s = settings.idempotency_window_s

    async def remember(self, submission: Submission, position: str | None) -> None:
        """Keep what is known of an operation."""
        command = orjson.loads(submission.record.value or b"{}")
        told = {
            **pending(submission),
            "merchant_id": command["merchant_id"],
            "mode": command["mode"],
            "log_position": position,
        }
        with contextlib.suppress(CacheUnavailable):
            key = _key(submission.command_id)
            await self._cache.keep(key, orjson.dumps(told), self._kept_s)

    async def of(self, command_id: str, api_key: ApiKey) -> dict[str, Any] | None:
        """What is known of an operation of this merchant and mode."""
        try:
            [raw] = await self._cache.values([_key(command_id)])
        except CacheUnavailable:
            return None
        told: dict[str, Any] = orjson.loads(raw) if raw else {}
        whose = (told.get("merchant_id"), told.get("mode"))
        return told if whose == (api_key.merchant_id, api_key.mode) else None


def _key(command_id: str) -> str:
    return f"operation:{command_id}"
