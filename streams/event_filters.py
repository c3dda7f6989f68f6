"""Event filters: an exact type, a prefix such as `payment.*`, or `*` for everything."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

EVERYTHING = "*"
"""The filter that every type passes."""
_PREFIX_END = ".*"


@lru_cache(maxsize=1024)
def filters_of(event_type: str) -> tuple[str, ...]:
    """Every filter that lets this type pass, the narrowest first: `a.b`, `a.*`, `*`."""
    words = event_type.split(".")
    prefixes = [".".join(words[:count]) + _PREFIX_END for count in range(len(words) - 1, 0, -1)]
    return (event_type, *prefixes, EVERYTHING)


def wants(filters: Iterable[str], event_type: str) -> bool:
    """Whether one of the filters lets the type pass."""
    return not set(filters_of(event_type)).isdisjoint(filters)


def selects_any(one: str, event_types: Iterable[str]) -> bool:
    """Whether a filter lets at least one of these types pass; a misspelt one lets none."""
    return any(one in filters_of(event_type) for event_type in event_types)
