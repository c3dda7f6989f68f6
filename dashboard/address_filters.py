"""Filters that stand in a screen's address, one word or time each."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Self
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

TEXT_CHARACTERS_MAX = 100
"""Longest value of a filter; ids, types and routes are shorter."""


@dataclass(frozen=True, slots=True)
class AddressFilters:
    """Each is empty for all. Equal filters show the same rows, so they can be part of a key."""

    before: str = ""
    """The row behind which this page goes on."""

    @classmethod
    def of(cls, query: QueryParams) -> Self:
        """Those of an address; what is not known or too long is left out."""
        given = {each.name: query.get(each.name, "").strip() for each in fields(cls)}
        return cls(**{name: text for name, text in given.items() if _usable(text)})

    def behind(self, row_id: str) -> Self:
        """The same, from behind a row on."""
        return replace(self, before=row_id)

    def __str__(self) -> str:
        """As the query of an address."""
        return urlencode({name: text for name, text in asdict(self).items() if text})


def _usable(text: str) -> bool:
    return len(text) <= TEXT_CHARACTERS_MAX and text.isprintable()
