"""Endpoints as they are shown: how it goes with each, and how old its secret is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from headgate.dashboard.place import Place
from headgate.dashboard.viewer import Viewer
from headgate.streams import ids
from headgate.tables.postgres import Row

ROWS_MAX = 50
"""Endpoints on one page; a merchant has 20 in each mode unless that is set otherwise."""
LATELY_MAX = 1000
"""Deliveries of one endpoint that are looked at: the newest of 24 hours, the oldest held."""
REASONS = {
    "gone": "it answered 410",
    "failing": "nothing arrived for days",
    "merchant": "it was asked for",
    "unverified": "its receiver has not agreed to live webhooks",
}
"""Why an endpoint is disabled, for people."""


async def listed(place: Place, viewer: Viewer, after: str | None) -> list[dict[str, Any]]:
    """A page of the endpoints that this viewer may see, newest first."""
    rows = await place.postgres.fetch(
        "dashboard_endpoints", viewer.merchant_id, viewer.mode, ROWS_MAX, after
    )
    return await _with_lately(place, rows)


async def one(place: Place, viewer: Viewer, endpoint_id: str) -> dict[str, Any] | None:
    """This endpoint, if this viewer may see it."""
    rows = await place.postgres.fetch(
        "dashboard_endpoint", viewer.merchant_id, viewer.mode, endpoint_id
    )
    return (await _with_lately(place, rows))[0] if rows else None


async def _with_lately(place: Place, rows: Sequence[Row]) -> list[dict[str, Any]]:
    wanted = [row["id"] for row in rows]
    partitions = [ids.partition_of(each, place.settings.partitions) for each in wanted]
    found = await place.postgres.fetch("dashboard_endpoints_lately", wanted, partitions, LATELY_MAX)
    lately = {row["id"]: row for row in found}
    return [endpoint_shown(row, lately[row["id"]]) for row in rows]


def endpoint_shown(row: Row, lately: Row) -> dict[str, Any]:
    """An endpoint's row and how it went lately, with what follows from both."""
    reason = row["disabled_reason"]
    return {
        **dict(row),
        "status": _status(row),
        "why": REASONS.get(reason, reason) if reason and not row["enabled"] else "",
        "success": _percent(lately["arrived"], lately["tried"]),
        "tried": lately["tried"],
        "lane": _lane(lately),
        "secret_days": (datetime.now(UTC) - row["secret_since"]).days,
        "order": f"{round(row['created_at'].timestamp() * 1_000_000)}-{row['id']}",
    }


def _status(row: Row) -> str:
    if row["deleted_at"] is not None:
        return "deleted"
    return "enabled" if row["enabled"] else "disabled"


def _percent(arrived: int, tried: int) -> str:
    """Rounded down: 100 % is said only when all of it is true."""
    return f"{100 * arrived // tried} %" if tried else "-"


def _lane(lately: Row) -> str:
    """What its lane does, for people; empty when it lets everything through."""
    many = "+" if lately["held"] + lately["parked"] == LATELY_MAX else ""
    if lately["open"]:
        return f"shut, it is probed; {lately['held']}{many} held"
    if lately["held"]:
        return f"{lately['held']}{many} held"
    return f"{lately['parked']}{many} parked" if lately["parked"] else ""
