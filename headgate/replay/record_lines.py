"""A record in one line: for people, or as JSON for their tools."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from headgate.replay.card_check import without_card_numbers
from headgate.replay.recorded import Recorded
from headgate.streams.clock import iso
from headgate.streams.commands import COMMAND
from headgate.streams.connection import Position
from headgate.streams.event_filters import selects_any, wants
from headgate.streams.fact_words import FACTS_IN_WORDS
from headgate.streams.money import in_words
from headgate.streams.operational_events import OPERATIONAL_TYPES
from headgate.streams.topics import (
    PAYMENT_COMMANDS,
    PAYMENT_FACTS,
    WEBHOOKS_ATTEMPTS,
    WEBHOOKS_EVENTS,
    WEBHOOKS_READY,
)

LINE_CHARACTERS_MAX = 400
"""Longest line for people; the rest is in `--json`."""
_WORDS = (
    "method", "state", "operation", "outcome", "decline_code", "timer", "what", "why", "kind",
    "status_code", "error",
)  # fmt: skip
"""Members of a value that a line repeats, in this order."""
_BAD = ("failed", "needs_review", "declined", "rejected", "exhausted", "disabled", "blocked")
_DOUBTFUL = ("in_doubt", "unknown", "disabling", "held", "parked")
_GOOD = ("success", "succeeded", "processed", "approved", "captured", "enabled", "recovered")
_RED, _YELLOW, _GREEN, _DIM, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[2m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which records of a topic somebody wants to see; nothing given: all."""

    types: tuple[str, ...] = ()
    """Exact types, or prefixes such as `payment.*`."""
    merchants: frozenset[str] = frozenset()

    def wants(self, record: Recorded) -> bool:
        """Whether a record is to be seen."""
        if not self.types and not self.merchants:
            return True
        document = _document(record)
        return (not self.types or wants(self.types, type_of(record, document))) and (
            not self.merchants or _merchant(record, document) in self.merchants
        )


def selecting_nothing(topic: str, types: Iterable[str]) -> str | None:
    """The first filter that no type of this topic passes; None also for topics whose types are
    not known."""
    known = _types_of(topic)
    return next((one for one in types if known and not selects_any(one, known)), None)


def _types_of(topic: str) -> tuple[str, ...]:
    facts: tuple[str, ...] = tuple(FACTS_IN_WORDS)
    commands = (
        COMMAND.json_schema()["discriminator"]["mapping"] if topic == PAYMENT_COMMANDS.name else ()
    )
    return {
        PAYMENT_COMMANDS.name: tuple(commands),
        PAYMENT_FACTS.name: facts,
        WEBHOOKS_EVENTS.name: OPERATIONAL_TYPES,
        WEBHOOKS_READY.name: (*facts, *OPERATIONAL_TYPES),
        WEBHOOKS_ATTEMPTS.name: (*facts, *OPERATIONAL_TYPES),
    }.get(topic, ())


def line_of(record: Recorded, *, colours: bool) -> str:
    """Time, type, payment, sequence, money and state, and where it stands."""
    clean = without_card_numbers(record)
    document = _document(clean)
    kind = type_of(clean, document) or _unreadable(clean)
    sequence = document.get("sequence")
    words = [
        _printable(kind).ljust(26),
        _printable(_about(clean, document)).ljust(19),
        f"#{sequence}".ljust(4) if isinstance(sequence, int) else "",
        *map(_printable, _words(document, kind)),
    ]
    text = "  ".join(word for word in words if word)[:LINE_CHARACTERS_MAX]
    place = str(Position(record.topic, record.partition, record.offset))
    if not colours:
        return f"{time_of(record.at_ms)}  {text}  {place}"
    return f"{_DIM}{time_of(record.at_ms)}{_PLAIN}  {_coloured(text)}  {_DIM}{place}{_PLAIN}"


def json_of(record: Recorded) -> str:
    """One JSON object. `value` is the record's own JSON; what is none, or is nested too deep to be
    written again, is text, and what is no text `{"base64": …}`."""
    clean = without_card_numbers(record)
    whole = {
        "topic": clean.topic,
        "partition": clean.partition,
        "offset": clean.offset,
        "time": time_of(clean.at_ms),
        "type": type_of(clean, _document(clean)) or None,
        "key": _told(clean.key),
        "value": _value(clean.value),
        "headers": {name: _told(value) for name, value in clean.headers},
    }
    try:
        return orjson.dumps(whole).decode()
    except TypeError:  # it reads 1,024 levels and writes 254
        return orjson.dumps({**whole, "value": _told(clean.value)}).decode()


def time_of(at_ms: int) -> str:
    """A record's time. Somebody else's record may have one that no calendar has."""
    try:
        return iso(at_ms)
    except (ValueError, OverflowError):
        return f"{at_ms} ms"


def type_of(record: Recorded, document: Mapping[str, Any]) -> str:
    """The type that a record tells of itself; empty when it tells none."""
    for told in (document.get("type"), _inner(document).get("type"), _header(record, "ce_type")):
        if isinstance(told, str) and told:
            return told
    return ""


def _merchant(record: Recorded, document: Mapping[str, Any]) -> str:
    """The first one that is told; another thing than text is none."""
    payment = _part(_part(document, "data"), "payment")
    for place in (document, payment, _inner(document)):
        told = place.get("merchant_id")
        if isinstance(told, str) and told:
            return told
    return _header(record, "merchant-id")


def _about(record: Recorded, document: Mapping[str, Any]) -> str:
    """The payment, or else the key."""
    payment = document.get("payment_id") or _inner(document).get("payment_id")
    return payment if isinstance(payment, str) else (record.key or b"").decode(errors="replace")


def _words(document: Mapping[str, Any], kind: str) -> list[str]:
    data = _part(document, "data")
    about = _part(data, kind.partition(".")[0]) or _part(data, "payment")
    thing = about or document
    return [*_money(thing), *(str(thing[name]) for name in _WORDS if thing.get(name))]


def _money(thing: Mapping[str, Any]) -> list[str]:
    amount, currency = thing.get("amount"), thing.get("currency")
    if not isinstance(amount, int):
        return []
    return [in_words(amount, currency) if isinstance(currency, str) else f"{amount} minor units"]


def _unreadable(record: Recorded) -> str:
    if record.value is None:
        return "tombstone"
    return f"unreadable, {len(record.value):,} bytes"


def _document(record: Recorded) -> Mapping[str, Any]:
    """The value, when it is a JSON object; else an empty one."""
    try:
        found = orjson.loads(record.value or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _inner(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attempt that a notice is about."""
    return _part(document, "wanted")


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _header(record: Recorded, name: str) -> str:
    return dict(record.headers).get(name, b"").decode(errors="replace")


def _value(raw: bytes | None) -> object:
    try:
        return orjson.loads(raw or b"null")
    except ValueError:
        return _told(raw)


def _told(raw: bytes | None) -> object:
    if raw is None:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(raw).decode()}


def _printable(text: str) -> str:
    """A record may hold anything; a terminal must not obey it."""
    return "".join(each if each.isprintable() else "?" for each in text)


def _coloured(text: str) -> str:
    for colour, words in ((_RED, _BAD), (_YELLOW, _DOUBTFUL), (_GREEN, _GOOD)):
        if any(word in text for word in words):
            return f"{colour}{text}{_PLAIN}"
    return text
