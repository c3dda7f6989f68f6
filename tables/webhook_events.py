"""Operational events in PostgreSQL: noted with what they tell of, told on the log, kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from headgate.streams.clock import from_ms
from headgate.streams.operational_events import EventBytes
from headgate.tables.merchants import Connection
from headgate.tables.postgres import Postgres, Row, statements


async def note(connection: Connection, events: Sequence[EventBytes]) -> None:
    """Note events in the caller's transaction: they are told if and only if it commits. Notify
    puts them on the log within `HEADGATE_WEBHOOK_EVENTS_RELAY_MS`."""
    if events:
        await connection.execute(statements()["note_webhook_events"], *_columns(events))


class WebhookEvents:
    """Methods raise StoreUnavailable, and RowRefused for a row that will never be taken."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def keep(self, events: Sequence[EventBytes]) -> dict[str, EventBytes]:
        """Store events that are on the log; each by its id, with the bytes and the time that it
        had when it was first told."""
        if not events:
            return {}
        rows = await self._postgres.fetch("keep_webhook_events", *_columns(events))
        kept = {row["event_id"]: row for row in rows}
        return {
            one.event_id: replace(
                one,
                payload=kept[one.event_id]["payload"],
                created_at_ms=_ms(kept[one.event_id]["created_at"]),
            )
            for one in events
        }

    async def note_exhausted(self, over: Sequence[tuple[EventBytes, str]]) -> int:
        """Note events, each with the delivery that it says has failed for good, if it has; how
        many are new."""
        if not over:
            return 0
        columns = _columns([event for event, _ in over])
        return len(await self._postgres.fetch("note_exhausted", *columns, [one for _, one in over]))

    async def tell(
        self, publish: Callable[[Sequence[EventBytes]], Awaitable[object]], most: int
    ) -> int:
        """Publish the oldest `most` events that are not on the log yet; returns how many. A crash
        in between publishes them again, which their ids make harmless. Others who do the same
        meanwhile get other events."""
        async with self._postgres.connection() as connection, connection.transaction():
            rows = await connection.fetch(statements()["webhook_events_to_tell"], most)
            if rows:
                await publish([_event(row) for row in rows])
                told = [row["event_id"] for row in rows]
                await connection.execute(statements()["webhook_events_told"], told)
        return len(rows)

    async def forget(self, before_ms: int, most: int) -> int:
        """Delete at most so many events that were told, the oldest first; returns how many."""
        rows = await self._postgres.fetch("forget_webhook_events", from_ms(before_ms), most)
        return len(rows)


def _columns(events: Sequence[EventBytes]) -> list[list[object]]:
    names = ("event_id", "type", "merchant_id", "mode", "endpoint_id", "payload")
    columns: list[list[object]] = [[getattr(one, name) for one in events] for name in names]
    return [*columns, [from_ms(one.created_at_ms) for one in events]]


def _event(row: Row) -> EventBytes:
    return EventBytes(
        event_id=row["event_id"],
        type=row["type"],
        merchant_id=row["merchant_id"],
        mode=row["mode"],
        created_at_ms=_ms(row["created_at"]),
        payload=row["payload"],
        endpoint_id=row["endpoint_id"],
    )


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
