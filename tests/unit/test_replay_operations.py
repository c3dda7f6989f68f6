"""Operations beside the commands of a capture (08 R35)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from headgate.replay.compared import compared
from headgate.replay.decisions import Asked, Recording
from headgate.replay.fold import folded
from headgate.replay.operations import ASKED_AT_ONCE, WithOperations
from headgate.replay.recorded import Recorded
from tests.unit.replay_lives import life, lives, recorded


class Rows:
    """PostgreSQL with the operations of some commands."""

    def __init__(self, commands: list[Recorded]) -> None:
        self._known = folded(commands).outcomes
        self.asked: list[int] = []

    async def fetch(self, name: str, command_ids: Sequence[str]) -> list[dict[str, Any]]:
        """The rows of `decided`."""
        assert name == "decided"
        self.asked.append(len(command_ids))
        return [
            {"command_id": one, "requests": "[]", **_columns(self._known[one])}
            for one in command_ids
            if one in self._known
        ]


def _columns(outcome: Any) -> dict[str, Any]:
    names = ("refusal", "first_sequence", "last_sequence", "result")
    return {name: getattr(outcome, name) for name in names}


class Log:
    """A source that has these records."""

    def __init__(self, records: list[Recorded]) -> None:
        self._records = records

    async def count(self) -> int:
        """All of them."""
        return len(self._records)

    async def records(self) -> AsyncIterator[Recorded]:
        """In their order."""
        for record in self._records:
            yield record


async def read(source: WithOperations) -> list[Recorded]:
    """All of it."""
    return [record async for record in source.records()]


async def test_every_decided_command_comes_with_its_operation() -> None:
    commands = life()
    found = await read(WithOperations(Log(commands), Rows(commands[:3])))  # type: ignore[arg-type]
    assert [one for one in found if one.topic != "operations"] == commands
    operations = [one for one in found if one.topic == "operations"]
    assert [(one.partition, one.offset, one.at_ms, one.key) for one in operations] == [
        (one.partition, one.offset, one.at_ms, one.key) for one in commands[:3]
    ]


async def test_postgresql_is_asked_for_many_at_once() -> None:
    commands = lives(payments=600, partitions=2)
    rows = Rows(commands)
    found = await read(WithOperations(Log(commands), rows))  # type: ignore[arg-type]
    assert len(found) == 2 * len(commands)
    assert rows.asked == [ASKED_AT_ONCE, ASKED_AT_ONCE, len(commands) - 2 * ASKED_AT_ONCE]


async def test_an_operation_says_the_same_behind_the_file_as_before() -> None:
    source = recorded(life())
    recording = Recording()
    for record in source:
        recording.add(record)
    known = folded(life())
    assert recording.decisions.outcomes == known.outcomes
    asked = [one for record in life() if (one := Asked.of(record)) is not None]
    assert compared(asked, recording.decisions, known).same
