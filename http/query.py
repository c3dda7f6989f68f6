"""A request's query, read by name and type; whatever is wrong is named (07 §8)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import datetime
from typing import TypeVar

from headgate.http.exchange import Exchange, whole_number
from headgate.http.problems_of_requests import ParameterInvalid
from headgate.streams.cards import quoted
from headgate.tables import search_values

T = TypeVar("T")

COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
"""How a bound is written in brackets, and what it stands for."""
TEXT_CHARACTERS_MAX = 255
VALUES_MAX = 100
_IN_BRACKETS = re.compile(r"(\w+)\[([^\[\]]*)\]")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Query:
    """Every method raises ParameterInvalid, which names the parameter. Names without brackets that
    nobody asks for are ignored, as in the seed; those with brackets must be known."""

    def __init__(self, exchange: Exchange) -> None:
        self._pairs = exchange.pairs()
        self._known: set[str] = set()

    def one(self, name: str) -> str | None:
        """A parameter; of two with one name the last counts."""
        self._known.add(name)
        found = [value for key, value in self._pairs if key == name]
        return found[-1] if found else None

    def text(self, name: str) -> str | None:
        """A parameter that is compared with what a merchant has sent."""
        return self._printable(name, self.one(name))

    def word(self, name: str, allowed: Collection[str]) -> str | None:
        """A parameter that is one of a few words."""
        given = self.one(name)
        return None if given is None else _one_of(name, given, allowed)

    def words(self, name: str, allowed: Collection[str]) -> list[str]:
        """`name[]`, repeated or with commas."""
        key = f"{name}[]"
        self._known.add(key)
        given = [value for found, value in self._pairs if found == key]
        return [_one_of(key, part, allowed) for value in given for part in value.split(",")]

    def whole(self, name: str, default: int, *, least: int, most: int) -> int:
        """A parameter that is a whole number."""
        given = self.one(name)
        named = {} if given is None else {name: given}
        return whole_number(named, name, default, least=least, most=most)

    def moment(self, name: str) -> datetime | None:
        """A time: ISO 8601 with its offset from UTC, or unix seconds."""
        given = self.one(name)
        return None if given is None else moment(name, given)

    def bounds(self, name: str, read: Callable[[str, str], T]) -> list[tuple[str, T]]:
        """`name[gt]` and its like: SQL's comparison and the value."""
        found = []
        for word, comparison in COMPARISONS.items():
            key = f"{name}[{word}]"
            given = self.one(key)
            if given is not None:
                found.append((comparison, read(key, given)))
        return found

    def members(self, name: str) -> dict[str, str]:
        """`name[key]=value` for any key."""
        found: dict[str, str] = {}
        for key, value in self._pairs:
            parts = _IN_BRACKETS.fullmatch(key)
            if parts is not None and parts[1] == name and parts[2]:
                self._known.add(key)
                found[str(self._printable(key, parts[2]))] = str(self._printable(key, value))
        return found

    def check_brackets(self) -> None:
        """Refuse a name in brackets that nobody has asked for: a filter must not be overlooked."""
        for key, _ in self._pairs:
            if "[" in key and key not in self._known:
                raise ParameterInvalid(f"{quoted(key)} is not known here.", param=_named(key))

    def _printable(self, name: str, value: str | None) -> str | None:
        if value is not None and (_UNPRINTABLE.search(value) or len(value) > TEXT_CHARACTERS_MAX):
            raise ParameterInvalid(
                f"{_named(name)} must have at most {TEXT_CHARACTERS_MAX} printable characters.",
                param=_named(name),
            )
        return value


def _named(name: str) -> str:
    """A parameter's name that a client has made up, as it may stand in an answer."""
    return quoted(name)[1:-1]


def amount(name: str, given: str) -> int:
    """A sum in minor units. Raises ParameterInvalid."""
    return _named_in(name, search_values.amount, given)


def moment(name: str, given: str) -> datetime:
    """A time of this or the last century. Raises ParameterInvalid."""
    return _named_in(name, search_values.moment, given)


def _named_in(name: str, read: Callable[[str, str], T], given: str) -> T:
    try:
        return read(name, given)
    except search_values.ValueInvalid as error:
        raise ParameterInvalid(str(error), param=name) from None


def _one_of(name: str, given: str, allowed: Collection[str]) -> str:
    if given not in allowed:
        words = ", ".join(sorted(allowed))
        raise ParameterInvalid(f"{name} is {quoted(given)}; it must be one of {words}.", param=name)
    return given


def either(first: tuple[str, str | None], second: tuple[str, str | None]) -> None:
    """Refuse two parameters that exclude each other. Raises ParameterInvalid."""
    if first[1] is not None and second[1] is not None:
        raise ParameterInvalid(f"Send {first[0]} or {second[0]}, not both.", param=first[0])
