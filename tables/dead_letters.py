"""Dead letters as operators leave them: replayed or discarded, each with its audit row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from headgate.tables.merchants import audit
from headgate.tables.postgres import Postgres, statements

Action = Literal["replayed", "discarded"]
VERBS: dict[Action, str] = {"replayed": "replay", "discarded": "discard"}


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a dead letter stands. Its time tells it from another one at the same offset of a topic
    that was made anew."""

    topic: str
    """The name without the namespace, such as `payments.commands.dead`."""
    partition: int
    offset: int
    written_ms: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"


@dataclass(frozen=True, slots=True)
class Handled:
    """What was done about one."""

    action: Action
    actor: str
    note: str
    replayed_to: str | None
    """Where on the log its record is now."""
    at: datetime


async def handled(postgres: Postgres, places: Sequence[Spot]) -> dict[Spot, Handled]:
    """What was done about those of the letters that are not open. Raises StoreUnavailable."""
    rows = await postgres.fetch("dead_letters_handled", *_columns(places))
    return {
        Spot(row["topic"], row["partition"], row["offset"], row["written_ms"]): Handled(
            row["action"], row["actor"], row["note"], row["replayed_to"], row["at"]
        )
        for row in rows
    }


async def handle(
    postgres: Postgres,
    letters: Sequence[tuple[Spot, str | None]],
    action: Action,
    actor: str,
    note: str,
) -> int:
    """Remember what `actor` did about letters, each with where it was replayed to, in one
    transaction with the audit. How many it was news of: one that was replayed stays that.
    Raises StoreUnavailable."""
    places, targets = [place for place, _ in letters], [target for _, target in letters]
    async with postgres.connection() as connection, connection.transaction():
        arguments = (*_columns(places), action, actor, note, targets)
        rows = await connection.fetch(statements()["handle_dead_letters"], *arguments)
        news = {(row["topic"], row["partition"], row["offset"]) for row in rows}
        for place, target in letters:
            if (place.topic, place.partition, place.offset) in news:
                said = {"note": note, "replayed_to": target}
                await audit(connection, actor, f"dead_letter.{VERBS[action]}", str(place), said)
    return len(rows)


def _columns(places: Sequence[Spot]) -> list[list[object]]:
    return [
        [place.topic for place in places],
        [place.partition for place in places],
        [place.offset for place in places],
        [place.written_ms for place in places],
    ]
