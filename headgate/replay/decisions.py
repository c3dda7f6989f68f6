"""What commands came to: as it was recorded, or as today's code says it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import orjson

from headgate.replay.recorded import Recorded, SourceUnreadable
from headgate.streams.topics import PAYMENT_COMMANDS, PAYMENT_FACTS

OPERATIONS = "operations"
"""The name under which a capture keeps rows of the table `operations` beside its topics: one
record per decided command, with the key, partition, offset and time of the command. The log itself
does not hold refusals, answers to clients, nor calls to banks for longer than a week."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command and where it stands on the log."""

    command_id: str
    payment_id: str
    type: str
    partition: int
    offset: int
    at_ms: int

    @classmethod
    def of(cls, record: Recorded) -> Self | None:
        """The command in a record, read as loosely as it goes: what today's models refuse is a
        command all the same. None for what is none."""
        value = _object(record.value)
        names = [value.get(name) for name in ("command_id", "payment_id", "type")]
        if not all(isinstance(name, str) for name in names):
            return None
        command_id, payment_id, kind = map(str, names)
        return cls(command_id, payment_id, kind, record.partition, record.offset, record.at_ms)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was decided about one command."""

    refusal: str | None
    """The code of why it changed nothing."""
    first_sequence: int
    last_sequence: int
    """The facts that it led to; a last one before the first stands for none."""
    requests: Any
    """Calls to banks and reminders, as JSON."""
    result: bytes | None
    """What its client is answered, byte for byte."""

    @property
    def sequences(self) -> range:
        """Of its facts."""
        return range(self.first_sequence, self.last_sequence + 1)

    def dumped(self) -> bytes:
        """As the value of an `operations` record."""
        return orjson.dumps(
            {
                "refusal": self.refusal,
                "first_sequence": self.first_sequence,
                "last_sequence": self.last_sequence,
                "requests": self.requests,
                "result": None if self.result is None else self.result.decode(),
            }
        )


@dataclass(slots=True)
class Decisions:
    """Facts by payment and sequence, and outcomes by command, where they are known."""

    facts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    dead: dict[str, str] = field(default_factory=dict)
    """Why a command, by its id, went to the dead letters; empty where that is not known."""
    contradicting: list[tuple[str, int, bytes]] = field(default_factory=list)
    """Facts (payment, sequence, bytes) that were told again with other bytes."""

    def tell(self, payment_id: str, sequence: int, value: bytes) -> None:
        """Add a fact; a repeat of the same bytes is nothing new."""
        earlier = self.facts.setdefault(payment_id, {}).setdefault(sequence, value)
        if earlier != value:
            self.contradicting.append((payment_id, sequence, value))

    def add(self, record: Recorded) -> None:
        """Add a record of `payments.facts` or `operations`. Raises SourceUnreadable."""
        value = _object(record.value)
        if record.topic == PAYMENT_FACTS.name:
            if record.key is None or not isinstance(value.get("sequence"), int):
                raise _unreadable(record, "a fact has a key and a sequence")
            self.tell(record.key.decode(errors="replace"), value["sequence"], record.value or b"")
        elif record.topic == OPERATIONS:
            self.outcomes[str(value.get("command_id"))] = _outcome(record, value)


def operation_record(asked: Asked, outcome: Outcome) -> Recorded:
    """An outcome as a capture keeps it."""
    value = orjson.loads(outcome.dumped()) | {"command_id": asked.command_id}
    return Recorded(
        topic=OPERATIONS,
        partition=asked.partition,
        offset=asked.offset,
        at_ms=asked.at_ms,
        key=asked.payment_id.encode(),
        value=orjson.dumps(value, option=orjson.OPT_SORT_KEYS),
        headers=(),
    )


def _outcome(record: Recorded, value: dict[str, Any]) -> Outcome:
    try:
        result = value["result"]
        return Outcome(
            refusal=value["refusal"],
            first_sequence=int(value["first_sequence"]),
            last_sequence=int(value["last_sequence"]),
            requests=value["requests"],
            result=None if result is None else str(result).encode(),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(record, f"{error!r}") from None


def _object(value: bytes | None) -> dict[str, Any]:
    """The JSON object of a record; an empty one for what holds none."""
    try:
        found = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _unreadable(record: Recorded, why: str) -> SourceUnreadable:
    where = f"{record.topic}/{record.partition}@{record.offset}"
    return SourceUnreadable(f"{where} cannot be compared: {why}; take the capture again")


@dataclass(slots=True)
class Recording:
    """A whole source in memory: its commands in order, and what they came to."""

    commands: list[Recorded] = field(default_factory=list)
    decisions: Decisions = field(default_factory=Decisions)
    facts: int = 0
    """Records of `payments.facts`."""

    def add(self, record: Recorded) -> None:
        """Add one record. Raises SourceUnreadable."""
        if record.topic == PAYMENT_COMMANDS.name:
            self.commands.append(record)
        else:
            self.facts += record.topic == PAYMENT_FACTS.name
            self.decisions.add(record)

    @property
    def partitions(self) -> int:
        """How many there must be so that every command keeps its own."""
        return 1 + max((record.partition for record in self.commands), default=0)

    def asked(self) -> Iterator[Asked]:
        """The commands, without records that hold none."""
        for record in self.commands:
            if (asked := Asked.of(record)) is not None:
                yield asked
