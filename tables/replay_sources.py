"""Where replays take past events from, page by page, whatever is written meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Protocol

from headgate.streams.bus import Bus
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables.event_cursors import Place, decode, encode
from headgate.tables.event_feed import Asked, Feed, like_patterns
from headgate.tables.postgres import Postgres
from headgate.tables.replay_work import Job, Page, PastEvent
from headgate.tables.replays import Which

_SEPARATOR = "."


class Source(Protocol):
    """Events of a replay. Methods raise StoreUnavailable and LogUnavailable."""

    async def begins(self, job: Job) -> str:
        """Where the first page begins, and, if that is known, the last one ends."""

    async def page(self, job: Job, place: str, limit: int) -> Page:
        """At most `limit` events behind the place. The same again for the same place."""


class Facts:
    """Everything that was decided and told, whether or not it ever matched the endpoint: so a
    replay may go to an endpoint that is younger than the events (08 R31).

    Facts come in the order of the log, merged by time, up to where settle was when the replay
    began: what it tells later is matched by notify with an endpoint that it knows (08 R30).
    """

    def __init__(self, settings: Settings, postgres: Postgres, bus: Bus) -> None:
        self._topic = PAYMENT_COMMANDS.full_name(settings)
        self._postgres = postgres
        self._bus = bus
        self._feed = Feed(settings, postgres)

    async def begins(self, job: Job) -> str:
        """Each partition's first command of the time that is asked for, and where settle is."""
        rows = await self._postgres.fetch("settled_positions", PAYMENT_COMMANDS.name)
        ends = {row["partition"]: row["next_offset"] for row in rows}
        from_ms = round(job.from_at.timestamp() * 1000)
        firsts = await self._bus.since(self._topic, ends, from_ms) if ends else {}
        places = {partition: Place(min(firsts[partition], ends[partition])) for partition in ends}
        until = {partition: Place(end) for partition, end in ends.items()}
        return encode(until) + _SEPARATOR + encode(places)

    async def page(self, job: Job, place: str, limit: int) -> Page:
        """The next events; perhaps none, though others follow, where few fit."""
        until, _, places = place.partition(_SEPARATOR)
        settled = {partition: end.offset for partition, end in decode(until).items()}
        asked = Asked(
            job.merchant_id, job.mode, tuple(job.types), since=job.from_at, until=job.to_at
        )
        found = await self._feed.page(asked, decode(places), settled, limit)
        events = [
            PastEvent(told.event_id, told.payment_id, told.type, told.payload)
            for told in found.events
        ]
        return Page(events, until + _SEPARATOR + encode(found.cursor), whole=not found.more)


class MissingFacts(Facts):
    """Of what was told, what the endpoint has no delivery of: it was disabled, or not there yet, or
    did not ask for such events (08 R31)."""

    async def page(self, job: Job, place: str, limit: int) -> Page:
        """The next events; perhaps none, though others follow."""
        page = await super().page(job, place, limit)
        told = [event.event_id for event in page.events]
        rows = await self._postgres.fetch("replay_known", told, job.endpoint_id, job.id)
        known = {row["event_id"] for row in rows}
        return replace(page, events=[one for one in page.events if one.event_id not in known])


class FailedDeliveries:
    """Events of which no delivery to the endpoint has arrived or may still arrive, by the time of
    their first delivery."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def begins(self, job: Job) -> str:
        """Before the first delivery of the time that is asked for."""
        return f"{job.from_at.isoformat()} "

    async def page(self, job: Job, place: str, limit: int) -> Page:
        """The next events; perhaps none, though others follow."""
        at, _, after = place.partition(" ")
        rows = await self._postgres.fetch(
            "replay_failed_page",
            job.endpoint_id,
            job.from_at,
            job.to_at,
            datetime.fromisoformat(at),
            after,
            like_patterns(job.types),
            job.id,
            limit,
        )
        events = [
            PastEvent(row["event_id"], row["payment_id"], row["type"], row["payload"])
            for row in rows
            if row["stands"]
        ]
        last = f"{rows[-1]['created_at'].isoformat()} {rows[-1]['id']}" if rows else place
        return Page(events, last, whole=len(rows) < limit)


def sources_of(settings: Settings, postgres: Postgres, bus: Bus) -> dict[Which, Source]:
    """Where each kind of replay takes its events from."""
    return {
        "all": Facts(settings, postgres, bus),
        "missing": MissingFacts(settings, postgres, bus),
        "failed": FailedDeliveries(postgres),
    }
