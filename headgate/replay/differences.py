"""Differences between a recorded decision and today's, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Any, NamedTuple

import orjson

from headgate.replay.decisions import Asked
from headgate.streams.clock import iso

CHANGES_MAX = 40
"""Changed members of one JSON document that are told."""
SHOWN_CHARACTERS_MAX = 200
"""Longest value that is shown to people."""
_ABSENT = object()


class Change(NamedTuple):
    """A member that two JSON documents have otherwise. A side that lacks it is not told."""

    path: str
    recorded: Any = _ABSENT
    today: Any = _ABSENT

    def told(self) -> str:
        """In one line: `data.payment.amount_captured: recorded 1000, today 900`."""
        return f"{self.path}: recorded {_shown(self.recorded)}, today {_shown(self.today)}"

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        sides = {"recorded": self.recorded, "today": self.today}
        return {"path": self.path} | {k: v for k, v in sides.items() if v is not _ABSENT}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that today's code decides otherwise."""

    payment_id: str
    command: Asked | None
    """The command that led to it, where that can be told."""
    what: str
    """`fact`, `status`, `requests`, `answer` or `repeat`."""
    said: str
    """A sentence without its full stop: what was recorded and what today's code says."""
    sequence: int | None = None
    """Of the fact."""
    changes: tuple[Change, ...] = ()

    def lines(self) -> Iterator[str]:
        """For people; the payment is told once above all of its differences."""
        yield f"  {_where(self.command)}: {self.said}"
        for change in self.changes:
            yield f"      {change.told()}"

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        command = self.command
        return {
            "payment_id": self.payment_id,
            "command": None if command is None else {
                "id": command.command_id,
                "type": command.type,
                "partition": command.partition,
                "offset": command.offset,
                "at": iso(command.at_ms),
            },
            "what": self.what,
            "sequence": self.sequence,
            "said": self.said,
            "changes": [change.as_json() for change in self.changes],
        }  # fmt: skip


def of_bytes(recorded: bytes, today: bytes) -> tuple[Change, ...]:
    """What two JSON documents have otherwise. Documents that say the same in other bytes differ
    too: those bytes are signed, and promised never to change (08 R9)."""
    try:
        found = tuple(of_values(orjson.loads(recorded), orjson.loads(today)))
    except orjson.JSONDecodeError:
        found = ()
    return found or (_other_bytes(recorded, today),)


def of_values(recorded: Any, today: Any) -> tuple[Change, ...]:
    """What two JSON values have otherwise, the first `CHANGES_MAX` of it."""
    return tuple(islice(_changes("", recorded, today), CHANGES_MAX))


def _changes(path: str, recorded: Any, today: Any) -> Iterator[Change]:
    if isinstance(recorded, dict) and isinstance(today, dict):
        for name in dict.fromkeys([*recorded, *today]):
            inner = f"{path}.{name}" if path else str(name)
            yield from _changes(inner, recorded.get(name, _ABSENT), today.get(name, _ABSENT))
    elif isinstance(recorded, list) and isinstance(today, list):
        pairs = zip_longest(recorded, today, fillvalue=_ABSENT)
        for index, (one, other) in enumerate(pairs):
            yield from _changes(f"{path}[{index}]", one, other)
    elif recorded != today or type(recorded) is not type(today):
        yield Change(path or "all of it", recorded, today)


def _other_bytes(recorded: bytes, today: bytes) -> Change:
    pairs = zip_longest(recorded, today)
    at = next((index for index, (one, other) in enumerate(pairs) if one != other), 0)
    around = slice(max(0, at - 20), at + 20)
    return Change(
        f"the same JSON in other bytes, from byte {at} on",
        recorded[around].decode(errors="replace"),
        today[around].decode(errors="replace"),
    )


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "nothing"
    text = orjson.dumps(value).decode()
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}…"


def _where(command: Asked | None) -> str:
    if command is None:
        return "no command of the source"
    at = f"{command.partition}@{command.offset}"
    return f"{command.type} ({command.command_id}, {at}, {iso(command.at_ms)})"


def told(differences: Iterable[Difference], payments_max: int) -> Iterator[str]:
    """Every difference, by payment, for at most so many payments."""
    by_payment: dict[str, list[Difference]] = {}
    for difference in differences:
        by_payment.setdefault(difference.payment_id, []).append(difference)
    for payment_id, found in islice(by_payment.items(), payments_max):
        yield f"payment {payment_id}"
        for difference in found:
            yield from difference.lines()
    if len(by_payment) > payments_max:
        yield f"… and {len(by_payment) - payments_max} more payments; --json tells them all"
