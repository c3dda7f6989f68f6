"""Held deliveries in PostgreSQL: what the lanes told of them, and what may be released."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import asyncpg
import orjson

from headgate.streams.clock import from_ms
from headgate.streams.deliveries import AttemptMade, DeliveryNoted, DeliveryWanted
from headgate.tables.postgres import Postgres, Row, statements

PAGE = 500
"""Deliveries that are read at a time."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A notice and the partition that it came from, which is that of its endpoint."""

    notice: DeliveryNoted
    partition: int


@dataclass(frozen=True, slots=True)
class Room:
    """A lane that can take some of what it holds."""

    partition: int
    endpoint_id: str
    most: int
    fifo: bool
    parked_stay: bool = False
    """The endpoint is disabled: what is parked already has no business here."""


@dataclass(frozen=True, slots=True)
class HeldLane:
    """An endpoint that has something to release."""

    partition: int
    endpoint_id: str
    open: bool
    """Whether an earlier owner held some of it because nothing got through."""


@dataclass(frozen=True, slots=True)
class Held:
    """A delivery that is held."""

    wanted: DeliveryWanted
    """With its body, but for those that are only looked at because they are old."""
    partition: int
    hold: int
    on_its_way: bool
    """It was released, and nothing was heard of it since."""
    why: str
    since_ms: int
    """When it was held first."""

    @property
    def chain(self) -> str:
        """See `chain_of`."""
        return chain_of(self.wanted)


class HeldStore:
    """Methods raise StoreUnavailable."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def lanes(self, partitions: Sequence[int]) -> list[HeldLane]:
        """The endpoints of these partitions that have something to release."""
        rows = await self._postgres.fetch("held_lanes", list(partitions))
        return [HeldLane(row["partition"], row["endpoint_id"], row["open"]) for row in rows]

    async def of_lanes(self, rooms: Sequence[Room]) -> list[Held]:
        """What the lanes hold, the oldest first, as many as there is room for in each."""
        rows = await self._postgres.fetch(
            "held_of_lanes",
            [room.partition for room in rooms],
            [room.endpoint_id for room in rooms],
            [room.most for room in rooms],
            [room.fifo for room in rooms],
            [room.parked_stay for room in rooms],
        )
        return [_held(row) for row in rows]

    async def older(self, partitions: Sequence[int], than_ms: int) -> AsyncIterator[list[Held]]:
        """Pages of what is held since before this time, the oldest first. What is parked waits
        for its endpoint, and what blocks a lane has failed already."""
        after: tuple[object, ...] = (from_ms(0), "", "")
        while True:
            known = (list(partitions), from_ms(than_ms), *after, PAGE)
            rows = await self._postgres.fetch("held_before", *known)
            yield [_held(row) for row in rows]
            if len(rows) < PAGE:
                return
            after = (rows[-1]["held_since"], rows[-1]["delivery_id"], rows[-1]["chain"])

    async def released(self, held: Sequence[Held]) -> None:
        """Note that these are on their way, unless they were held again meanwhile."""
        await self._postgres.fetch(
            "mark_released",
            [one.wanted.delivery_id for one in held],
            [one.chain for one in held],
            [one.hold for one in held],
        )

    async def passed(self, delivery_ids: Sequence[str]) -> None:
        """Let those that blocked their lanes be passed."""
        await self._postgres.fetch("pass_blocked", list(delivery_ids))

    async def before(self, delivery_id: str) -> str | None:
        """The delivery that its endpoint must send before this one, None when there is none."""
        row = await self._postgres.fetch_row("older_held", delivery_id)
        return row["delivery_id"] if row else None


async def project(
    connection: asyncpg.pool.PoolConnectionProxy[Row],
    made: Sequence[AttemptMade],
    noted: Sequence[Noted],
) -> None:
    """Store the notices of a batch, and forget what its attempts have ended, in the transaction
    that stored the attempts."""
    notices = [one.notice for one in noted]
    wanted = [notice.wanted for notice in notices]
    await connection.execute(
        statements()["project_held"],
        [one.delivery_id for one in made],
        [one.token for one in made],
        [_ended_by(one) for one in made],
        [one.delivery_id for one in wanted],
        [chain_of(one) for one in wanted],
        [notice.what for notice in notices],
        [notice.why for notice in notices],
        [one.endpoint_id for one in wanted],
        [one.partition for one in noted],
        [notice.position for notice in notices],
        [one.token for one in wanted],
        [one.attempt for one in wanted],
        [notice.hold for notice in notices],
        [notice.fifo for notice in notices],
        [one.model_dump_json(exclude={"body"}) for one in wanted],
        [one.body.encode() for one in wanted],
        [from_ms(one.created_at_ms) for one in wanted],
        [from_ms(notice.at_ms) for notice in notices],
    )


def chain_of(wanted: DeliveryWanted) -> str:
    """Attempts of one delivery that may be held beside each other: those of the schedule, which
    follow one after the other, are one chain, and each that a person asked for is its own."""
    return wanted.token if wanted.manual else ""


def _ended_by(made: AttemptMade) -> str:
    if made.kind == "success":
        return "delivery"
    if made.manual or made.probe or made.next_attempt is not None:
        return "attempt"
    return "schedule"


def _held(row: Row) -> Held:
    body: bytes = row["body"]
    return Held(
        DeliveryWanted.model_validate({**orjson.loads(row["wanted"]), "body": body.decode()}),
        row["partition"],
        row["hold"],
        row["released"] >= row["hold"],
        row["why"],
        round(row["held_since"].timestamp() * 1000),
    )
