"""What PostgreSQL holds of decisions: the outcomes of commands, and the facts of payments."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import TypeVar

import orjson

from headgate.replay.decisions import Asked, Outcome, operation_record
from headgate.replay.recorded import Recorded, Source
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables.postgres import Postgres, Row

ASKED_AT_ONCE = 1000
"""Commands or payments that one statement asks for."""
_SEQUENCE_MAX = 2**31 - 1
T = TypeVar("T")


async def outcomes_of(postgres: Postgres, command_ids: Iterable[str]) -> dict[str, Outcome]:
    """Those of the commands that have been decided. Raises StoreUnavailable."""
    found: dict[str, Outcome] = {}
    for some in _pieces(list(command_ids)):
        rows = await postgres.fetch("decided", some)
        found |= {row["command_id"]: _outcome(row) for row in rows}
    return found


async def facts_of(
    postgres: Postgres, payment_ids: Iterable[str]
) -> AsyncIterator[tuple[str, int, bytes]]:
    """(payment, sequence, bytes) of every fact of these payments. Raises StoreUnavailable."""
    for some in _pieces(list(dict.fromkeys(payment_ids))):
        bounds = [1] * len(some), [_SEQUENCE_MAX] * len(some)
        for row in await postgres.fetch("facts_between", some, *bounds):
            yield row["payment_id"], row["sequence"], row["payload"]


class WithOperations:
    """A source that hands out, with its commands, what PostgreSQL knows about them."""

    def __init__(self, source: Source, postgres: Postgres) -> None:
        self._source = source
        self._postgres = postgres

    async def count(self) -> int | None:
        """Unknown: commands without an operation are only found by asking."""
        return None

    async def records(self) -> AsyncGenerator[Recorded, None]:
        """The source's records, and an `operations` record before each decided command. Raises
        what the source raises, and StoreUnavailable."""
        waiting: list[Recorded] = []
        async with aclosing(self._source.records()) as records:
            async for record in records:
                waiting.append(record)
                if len(waiting) == ASKED_AT_ONCE:
                    for one in await self._told(waiting):
                        yield one
                    waiting = []
        for one in await self._told(waiting):
            yield one

    async def _told(self, records: Sequence[Recorded]) -> list[Recorded]:
        commands = {
            (asked.partition, asked.offset): asked
            for record in records
            if record.topic == PAYMENT_COMMANDS.name and (asked := Asked.of(record)) is not None
        }
        outcomes = await outcomes_of(self._postgres, (a.command_id for a in commands.values()))
        told: list[Recorded] = []
        for record in records:
            asked = commands.get((record.partition, record.offset))
            if record.topic == PAYMENT_COMMANDS.name and asked and asked.command_id in outcomes:
                told.append(operation_record(asked, outcomes[asked.command_id]))
            told.append(record)
        return told


def _outcome(row: Row) -> Outcome:
    return Outcome(
        refusal=row["refusal"],
        first_sequence=row["first_sequence"],
        last_sequence=row["last_sequence"],
        requests=orjson.loads(row["requests"]),
        result=row["result"],
    )


def _pieces(things: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(things), ASKED_AT_ONCE):
        yield things[start : start + ASKED_AT_ONCE]
