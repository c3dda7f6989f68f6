"""Deliveries as they are shown: how far each is, and what it waits for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from headgate.streams.clock import now_ms
from headgate.streams.delays import tier_at
from headgate.tables.postgres import Row
from headgate.tables.schedules import tries_of

OVER = frozenset({"success", "canceled"})
"""Deliveries that nobody needs to send again."""
HELD_FOR = {
    "open": "its endpoint does not answer and is probed",
    "crowded": "its endpoint has no place",
    "fifo": "its endpoint takes one after the other",
    "unready": "its endpoint is not known to the worker yet",
    "disabled": "its endpoint is disabled",
    "exhausted": "it was given up and stops those behind it",
}
"""Why a lane holds a delivery, for people."""


def held_for(why: str) -> str:
    """Why a lane holds a delivery, for people."""
    return HELD_FOR.get(why, why)


def delivery_shown(row: Row) -> dict[str, Any]:
    """A row of `dashboard_deliveries` or `dashboard_delivery`, and what follows from it."""
    due_at: datetime | None = row["next_retry_at"]
    return {
        **dict(row),
        "order": f"{_microseconds(row['created_at'])}-{row['id']}",
        "tries": tries_of(row["schedule"] or "standard", row["waits_ms"] or ()),
        "waits_in": _waits_in(row) if due_at is not None else None,
        "may_retry": row["status"] not in OVER,
    }


def _waits_in(row: Row) -> str | None:
    """The delay topic in which the next attempt waits now; None when it is due."""
    if row["status"] != "pending" or row["waits_since"] is None:
        return None
    due_ms, since_ms = (_microseconds(row[name]) // 1000 for name in _WAIT)
    tier = tier_at(due_ms, since_ms, now_ms())
    return tier.topic.name if tier else None


_WAIT = ("next_retry_at", "waits_since")


def _microseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)


def attempt_shown(row: Row, body: bytes | None) -> dict[str, Any]:
    """A row of `dashboard_attempts`, with both sides of the exchange."""
    sent: Mapping[str, str] = json.loads(row["request_headers"])
    return {
        **dict(row),
        "sent": sent,
        "received": json.loads(row["answer_headers"]),
        "signed": signature_base(sent, body),
    }


def signature_base(sent: Mapping[str, str], body: bytes | None) -> str | None:
    """The text that the signatures of an attempt are made of (Standard Webhooks): id, timestamp and
    body with full stops between. None when its event or its headers are not known any more."""
    named = {name.lower(): value for name, value in sent.items()}
    parts = [named.get(name) for name in ("webhook-id", "webhook-timestamp")]
    if body is None or None in parts:
        return None
    return ".".join([*map(str, parts), body.decode()])
