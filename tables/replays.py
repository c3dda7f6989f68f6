"""Replays as merchants see and change them; one transaction each, with its audit row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from headgate.streams.cards import quoted
from headgate.streams.commands import Mode
from headgate.streams.errors import HeadgateError
from headgate.tables.conditions import Conditions
from headgate.tables.merchants import Connection, audit
from headgate.tables.postgres import Postgres, statements

Which = Literal["all", "failed", "missing"]
"""Every event that fits; those of which no delivery has arrived or may still arrive; those that fit
and have no delivery at all."""
Status = Literal["counting", "sending", "paused", "completed", "canceled"]
Reason = Literal["merchant", "endpoint_disabled", "endpoint_deleted"]
"""Why a replay is paused or canceled."""
Change = Literal["pause", "resume", "cancel"]

RESULTS: Mapping[Change, frozenset[Status]] = {
    "pause": frozenset({"paused"}),
    "resume": frozenset({"counting", "sending"}),
    "cancel": frozenset({"canceled"}),
}
"""What a replay is after a change; one that is so already stays so."""
PAGE_PARAMETERS = 3
"""Parameters of the statement of a page before those of its filters."""


class ReplayUnknown(HeadgateError):
    """There is no such replay, or it is another's."""


class ReplayEnded(HeadgateError):
    """A replay that is completed or canceled does not change any more."""


class ReplayRequestDiffers(HeadgateError):
    """The idempotency key made a replay for another request."""


class TooManyUnfinished(HeadgateError):
    """The merchant has as many replays under way as it may have."""


class StoredReplay(BaseModel):
    """A replay as PostgreSQL has it, with what became of its deliveries."""

    model_config = ConfigDict(frozen=True)

    id: str
    merchant_id: str
    mode: Mode
    endpoint_id: str
    which: Which
    types: tuple[str, ...]
    from_at: datetime
    to_at: datetime
    rate_per_s: int | None
    dry_run: bool
    request: str
    status: Status
    reason: Reason | None
    found: int
    sent: int
    delivered: int
    failed: int
    created_at: datetime
    counted_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReplayWanted:
    """What a new replay is to be, and who asks for it by which request."""

    id: str
    merchant_id: str
    mode: Mode
    endpoint_id: str
    which: Which
    types: tuple[str, ...]
    """Exact types, prefixes, or `*`; none are all of them."""
    from_at: datetime
    to_at: datetime
    """Events before this time, and before the replay was made."""
    rate_per_s: int | None
    """None is as fast as the endpoint takes them."""
    dry_run: bool
    actor: str
    request: str
    """Hash of the request, by which its repeat is known."""


@dataclass(frozen=True, slots=True)
class ReplayMade:
    """A replay that was made, now or by the request that this one repeats."""

    replay: StoredReplay
    repeated: bool


async def create(postgres: Postgres, wanted: ReplayWanted, unfinished_max: int) -> ReplayMade:
    """Make a replay, or find the one that the same request made before.

    Raises ReplayRequestDiffers, TooManyUnfinished, StoreUnavailable.
    """
    whose = (wanted.merchant_id, wanted.mode)
    async with postgres.connection() as connection, connection.transaction():
        # Those of one merchant are made one by one, or a crowd would pass the limit together.
        await connection.execute(statements()["lock_replays_of"], wanted.merchant_id)
        before = await _find(connection, wanted.id, whose)
        if before is not None:
            if before.request != wanted.request:
                raise ReplayRequestDiffers("This Idempotency-Key made a replay of something else.")
            return ReplayMade(before, repeated=True)
        if await connection.fetchval(statements()["replays_unfinished"], *whose) >= unfinished_max:
            raise TooManyUnfinished(
                f"{unfinished_max} {wanted.mode} replays are under way or paused; wait for one of "
                "them, or cancel it."
            )
        return await _insert(connection, wanted)


async def change(
    postgres: Postgres, change: Change, replay_id: str, whose: tuple[str, Mode], actor: str
) -> StoredReplay:
    """Pause, resume or cancel a replay; one that is so already stays so. What was sent before goes
    on by its own schedule.

    Raises ReplayUnknown, ReplayEnded, StoreUnavailable.
    """
    async with postgres.connection() as connection, connection.transaction():
        if await _find(connection, replay_id, whose) is None:
            raise ReplayUnknown(f"There is no replay {quoted(replay_id)}.")
        changed = await connection.fetchval(statements()[f"{change}_replay"], replay_id)
        if changed is not None:
            await audit(connection, actor, f"webhook_replay.{change}", replay_id, {})
        replay = await _stored(connection, replay_id, whose)
        if replay.status not in RESULTS[change]:
            raise ReplayEnded(f"The replay {replay_id} is {replay.status}.")
        return replay


async def find(postgres: Postgres, replay_id: str, whose: tuple[str, Mode]) -> StoredReplay | None:
    """The replay with this id, of this merchant and mode. Raises StoreUnavailable."""
    conditions = _only(replay_id)
    clauses = {"where": conditions.where, "way": "desc"}
    rows = await postgres.fetch_where("replays_page", clauses, *whose, 1, *conditions.values)
    return StoredReplay.model_validate_json(rows[0]["shown"]) if rows else None


async def _find(
    connection: Connection, replay_id: str, whose: tuple[str, Mode]
) -> StoredReplay | None:
    conditions = _only(replay_id)
    text = statements()["replays_page"].format(where=conditions.where, way="desc")
    row = await connection.fetchrow(text, *whose, 1, *conditions.values)
    return StoredReplay.model_validate_json(row["shown"]) if row else None


async def _stored(connection: Connection, replay_id: str, whose: tuple[str, Mode]) -> StoredReplay:
    found = await _find(connection, replay_id, whose)
    if found is None:
        raise ReplayUnknown(f"There is no replay {quoted(replay_id)}.")
    return found


def _only(replay_id: str) -> Conditions:
    conditions = Conditions(PAGE_PARAMETERS)
    conditions.add("r.id = {}", replay_id)
    return conditions


async def _insert(connection: Connection, wanted: ReplayWanted) -> ReplayMade:
    await connection.execute(
        statements()["create_replay"],
        wanted.id,
        wanted.merchant_id,
        wanted.mode,
        wanted.endpoint_id,
        wanted.which,
        list(wanted.types),
        wanted.from_at,
        wanted.to_at,
        wanted.rate_per_s,
        wanted.dry_run,
        wanted.request,
    )
    replay = await _stored(connection, wanted.id, (wanted.merchant_id, wanted.mode))
    said = {
        "endpoint_id": replay.endpoint_id,
        "only": replay.which,
        "types": replay.types,
        "from": replay.from_at.isoformat(),
        "to": replay.to_at.isoformat(),
        "rate_per_s": replay.rate_per_s,
        "dry_run": replay.dry_run,
    }
    await audit(connection, wanted.actor, "webhook_replay.create", replay.id, said)
    return ReplayMade(replay, repeated=False)
