"""Replays as workers see them: taken page by page, by one worker at a time, from where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from headgate.streams import ids
from headgate.streams.commands import Mode
from headgate.streams.deliveries import DeliveryWanted
from headgate.tables.configuration import Endpoint
from headgate.tables.deliveries import scheduled_token
from headgate.tables.postgres import Postgres
from headgate.tables.replays import Reason, Which

LEAST_WAIT_S, LONGEST_WAIT_S = 0.1, 10.0
"""How soon a replay that waits for its endpoint is looked at again, at the least and the most."""
WAIT_SHARE = 0.1
"""It waits so much of the time that it has waited already: long waits cost few looks."""


@dataclass(frozen=True, slots=True)
class Job:
    """A replay, taken for one page."""

    id: str
    merchant_id: str
    mode: Mode
    endpoint_id: str
    which: Which
    types: Sequence[str]
    from_at: datetime
    to_at: datetime
    rate_per_s: int | None
    dry_run: bool
    status: Literal["counting", "sending"]
    begins: str | None
    """Where both passes begin; None until that was drawn."""
    reached: str | None
    """Where the page begins."""
    token: UUID
    last_page_at: datetime | None
    """When the page before was wanted."""
    idle_s: float
    """For how long no page was sent."""


@dataclass(frozen=True, slots=True)
class PastEvent:
    """An event of a page."""

    event_id: str
    payment_id: str | None
    type: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Events in their order, and the place behind all that was looked at."""

    events: Sequence[PastEvent]
    reached: str
    whole: bool
    """Whether nothing follows."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A page whose deliveries are stored."""

    at: datetime
    """When they were first wanted; the same whoever repeats the page."""
    fresh: frozenset[str]
    """The deliveries that were not there before."""


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why there is no page now: the replay is put off for a while, or stopped for a reason."""

    put_off_s: float = 0.0
    status: Literal["paused", "canceled"] | None = None
    reason: Reason | None = None


def hindrance(job: Job, endpoint: Endpoint | None) -> Hindrance | None:
    """What keeps the replay from going on (08 R31); a dry run asks nothing of an endpoint."""
    if endpoint is None:
        return Hindrance(put_off_s=LONGEST_WAIT_S)  # another process has made it just now
    if endpoint.deleted:
        return Hindrance(status="canceled", reason="endpoint_deleted")
    if not endpoint.enabled and not job.dry_run:
        return Hindrance(status="paused", reason="endpoint_disabled")
    return None


def page_size(rate_per_s: int | None, page_max: int) -> int:
    """Events of one page: at most those of a second."""
    return page_max if rate_per_s is None else min(page_max, rate_per_s)


def next_page_s(rate_per_s: int | None, sent: int) -> float:
    """In how many seconds the next page is due, after one with so many events."""
    return 0.0 if rate_per_s is None else sent / rate_per_s


def wait_s(idle_s: float) -> float:
    """In how many seconds to look again whether the endpoint has kept up."""
    return min(max(LEAST_WAIT_S, idle_s * WAIT_SHARE), LONGEST_WAIT_S)


def delivery_id(job: Job, event: PastEvent) -> str:
    """The event's delivery in this replay."""
    return ids.replayed_delivery_id(event.event_id, job.endpoint_id, job.id)


def wanted(job: Job, event: PastEvent, at_ms: int) -> DeliveryWanted:
    """The first attempt of the event's delivery: the original webhook-id and bytes (08 R27)."""
    one = delivery_id(job, event)
    return DeliveryWanted(
        delivery_id=one,
        event_id=event.event_id,
        endpoint_id=job.endpoint_id,
        merchant_id=job.merchant_id,
        payment_id=event.payment_id,
        replay_id=job.id,
        mode=job.mode,
        type=event.type,
        token=scheduled_token(one, 1),
        body=event.payload.decode(),
        created_at_ms=at_ms,
    )


class ReplayWork:
    """What a worker writes of a replay stands only while the replay is its own. All methods raise
    StoreUnavailable; after a crash anywhere the page is done again, which adds nothing."""

    def __init__(self, postgres: Postgres, lease_s: float) -> None:
        self._postgres = postgres
        self._lease_s = lease_s

    async def take(self) -> Job | None:
        """The replay whose page is most overdue, if there is one that nobody has."""
        row = await self._postgres.fetch_row("replay_take", self._lease_s)
        return Job(**dict(row)) if row else None

    async def begin(self, job: Job, begins: str) -> bool:
        """Keep where both passes begin; whether the replay was still ours."""
        return bool(await self._postgres.fetch("replay_begin", job.id, job.token, begins))

    async def put_off(self, job: Job, wait_s: float) -> None:
        """Have nobody look at the replay for so long."""
        await self._postgres.fetch("replay_put_off", job.id, job.token, wait_s)

    async def stop(self, job: Job, status: str, reason: Reason | None) -> None:
        """Pause or cancel the replay."""
        await self._postgres.fetch("replay_stop", job.id, job.token, status, reason)

    async def counted(self, job: Job, page: Page) -> None:
        """The page was counted."""
        await self._postgres.fetch(
            "replay_counted", job.id, job.token, len(page.events), page.reached, page.whole
        )

    async def untried(self, job: Job) -> int:
        """How many deliveries of the page before have had no attempt yet."""
        if job.last_page_at is None:
            return 0
        row = await self._postgres.fetch_row("replay_untried", job.id, job.last_page_at)
        return int(row["count"]) if row else 0

    async def want(self, job: Job, page: Page) -> Begun | None:
        """Store the page's deliveries as pending; None when the replay is no longer ours."""
        row = await self._postgres.fetch_row(
            "replay_want",
            job.id,
            job.token,
            [delivery_id(job, event) for event in page.events],
            [event.event_id for event in page.events],
            [event.payment_id for event in page.events],
            [event.type for event in page.events],
        )
        return Begun(row["page_at"], frozenset(row["fresh"])) if row else None

    async def sent(self, job: Job, page: Page) -> None:
        """The page is on the log."""
        count = len(page.events)
        due_s = next_page_s(job.rate_per_s, count)
        place = (count, page.reached, page.whole, due_s)
        await self._postgres.fetch("replay_sent", job.id, job.token, *place)
