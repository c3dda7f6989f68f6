"""Qualifiers: how people search payments, as in `status:failed method:upi amount:>1000`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from headgate.streams.cards import quoted
from headgate.tables.payment_search import (
    ORDERED,
    WORDS,
    Clause,
    SearchInvalid,
    clause,
    member,
)

TEXT_CHARACTERS_MAX = 500
"""Of a whole search."""
CLAUSES_MAX = 10
_CLAUSE = re.compile(
    r"(?P<not>-?)(?P<field>[a-z_]{1,32}(?:\.[^\s:\"]{1,64})?):(?P<sign>>=|<=|>|<)?"
    r"(?P<value>\"[^\"]{1,255}\"|[^\s\"]{1,255})(?=\s|$)"
)
_WORD = re.compile(r"[^\s\":]{1,255}(?=\s|$)")
_SPACE = re.compile(r"\s*")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_METADATA = "metadata."

_NAMES = {"order": "order_id", "customer": "customer_id", "merchant": "merchant_id"}
"""Short words for columns that hold ids."""
_PINNED = frozenset({"id", "order", "customer"})
"""What an index finds among any number of payments."""
FIELDS = ", ".join([*WORDS, *ORDERED, "order", "customer", "ref", "merchant", "id", "metadata.KEY"])


@dataclass(frozen=True)
class Selection:
    """Which payments a search selects."""

    text: str = ""
    """The search as it was written."""
    clauses: tuple[Clause, ...] = field(default=())
    """All have to hold."""
    pinned: bool = False
    """Whether an index answers it, however many payments there are."""


def selection(text: str) -> Selection:
    """What a search selects. Raises SearchInvalid, whose message is for the person."""
    text = text.strip()
    if len(text) > TEXT_CHARACTERS_MAX or _UNPRINTABLE.search(text):
        raise SearchInvalid(f"a search has at most {TEXT_CHARACTERS_MAX} printable characters")
    found: list[tuple[str, Clause]] = []
    place = 0
    while place < len(text):
        name, one, place = _next(text, place)
        found.append((name, one))
    if len(found) > CLAUSES_MAX:
        raise SearchInvalid(f"a search has at most {CLAUSES_MAX} parts")
    pinned = any(name in _PINNED for name, _ in found)
    return Selection(text, tuple(one for _, one in found), pinned)


def _next(text: str, place: int) -> tuple[str, Clause, int]:
    """The field, condition and end of the part that begins here, with the space behind it."""
    found = _CLAUSE.match(text, place)
    if found is not None:
        name, one = found["field"], _condition(found)
        if found["not"]:
            # Not pinned: an index does not help to find everything else.
            name, one = "", Clause(f"({one.sql}) is not true", one.value)
    else:
        found = _WORD.match(text, place)
        if found is None:
            raise SearchInvalid(f"nothing can be made of {quoted(text[place:])}")
        name, one = _word(found[0])
    space = _SPACE.match(text, found.end())
    return name, one, space.end() if space else found.end()


def _word(text: str) -> tuple[str, Clause]:
    """A word without a field is the id of a payment or of an order."""
    if text.startswith("pay_"):
        return "id", Clause("id = {}", text)
    return "order", Clause("order_id = {}", text)


def _condition(found: re.Match[str]) -> Clause:
    name, sign = found["field"], found["sign"] or ":"
    value = found["value"].strip('"')
    if name.startswith(_METADATA):
        return member(name.removeprefix(_METADATA), value)
    if sign != ":" and name not in ORDERED:
        raise SearchInvalid(f"{name} is not compared, only equal")
    if name == "id":
        return Clause("id = {}", value)
    if name == "ref":
        return Clause("record ->> 'acquirer_reference' = {}", value)
    if name in _NAMES:
        return Clause(f"{_NAMES[name]} = {{}}", value)
    if name not in WORDS and name not in ORDERED:
        raise SearchInvalid(f"{quoted(name)} cannot be searched; what can be is {FIELDS}")
    return clause(name, sign, value, FIELDS)
