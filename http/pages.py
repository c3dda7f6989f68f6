"""Pages of a list, newest first: whatever is written meanwhile, nothing is skipped or repeated."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson
from starlette.responses import Response

from headgate.http.consistency import Consistency
from headgate.http.exchange import LIMIT_DEFAULT
from headgate.http.problems_of_requests import ParameterInvalid
from headgate.http.query import Query, either
from headgate.http.routing import json_answer
from headgate.streams.cards import quoted
from headgate.streams.settings import Settings
from headgate.tables.conditions import Conditions
from headgate.tables.configuration import ApiKey
from headgate.tables.postgres import Postgres, Row


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list is of. `page` and `place` are statements, `shown` makes a row's column JSON."""

    noun: str
    pattern: re.Pattern[str]
    page: str
    place: str
    shown: Callable[[str], bytes]


PAGE_PARAMETERS = 3
"""Parameters of every page's statement before those of its filters: merchant, mode, limit."""


class Pages:
    """Answers with pages. A cursor is the id of something that the reader has seen; it need not
    fit the filters."""

    def __init__(self, settings: Settings, consistency: Consistency, postgres: Postgres) -> None:
        self._most = settings.page_size_max
        self._consistency = consistency
        self._postgres = postgres

    async def answer(
        self, api_key: ApiKey, query: Query, listed: Listed, conditions: Conditions
    ) -> Response:
        """The page that the query asks for; its own names are limit, starting_after and
        ending_before. Raises ParameterInvalid, StoreUnavailable."""
        limit = query.whole("limit", LIMIT_DEFAULT, least=1, most=self._most)
        after, before = query.one("starting_after"), query.one("ending_before")
        either(("starting_after", after), ("ending_before", before))
        query.check_brackets()
        # Read before the rows, so that the rows show at least this much.
        settled = await self._consistency.settled()
        for name, cursor in (("starting_after", after), ("ending_before", before)):
            if cursor is not None:
                place = await self._place(api_key, listed, name, cursor)
                comparison = "<" if after is not None else ">"
                conditions.add(f"(created_at, id) {comparison} ({{}}, {{}})", *place)
        clauses = {"where": conditions.where, "way": "desc" if before is None else "asc"}
        rows = await self._postgres.fetch_where(
            listed.page, clauses, api_key.merchant_id, api_key.mode, limit + 1, *conditions.values
        )
        more, rows = len(rows) > limit, rows[:limit]
        cursor = rows[-1]["id"] if more else None
        if before is not None:
            rows = rows[::-1]
        position = self._consistency.positions.show(settled)
        return list_answer(_shown(listed, rows), cursor, position, more=more)

    async def _place(
        self, api_key: ApiKey, listed: Listed, name: str, cursor: str
    ) -> tuple[object, ...]:
        """Where the list goes on."""
        row = None
        if listed.pattern.fullmatch(cursor):
            row = await self._postgres.fetch_row(
                listed.place, cursor, api_key.merchant_id, api_key.mode
            )
        if row is None:
            raise ParameterInvalid(
                f"{name} is {quoted(cursor)}, which is no {listed.noun} of yours.", param=name
            )
        return row["created_at"], row["id"]


def _shown(listed: Listed, rows: Sequence[Row]) -> list[bytes]:
    return [listed.shown(row["shown"]) for row in rows]


def list_answer(
    data: Sequence[bytes], cursor: str | None, position: str | None, *, more: bool
) -> Response:
    """A page as JSON, around members that are JSON already."""
    return json_answer(
        b'{"object":"list","data":[%s],"has_more":%s,"next_cursor":%s,"position":%s}'
        % (b",".join(data), orjson.dumps(more), orjson.dumps(cursor), orjson.dumps(position))
    )
