"""The filters of the request log: what stands in the address of Keys & requests, as clauses."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from headgate.tables.conditions import Conditions

STATEMENT_PARAMETERS = 4
"""Those that `dashboard_requests` has before its clauses."""
TEXT_CHARACTERS_MAX = 100
"""Longest value of a filter; ids and routes are shorter."""
STATUSES = {"2xx": (200, 299), "4xx": (400, 499), "5xx": (500, 599)}
"""Statuses by their class: first and last."""
IDEMPOTENCIES = ("fresh", "replayed", "conflict")


@dataclass(frozen=True, slots=True)
class RequestFilters:
    """Each is empty for all. Equal filters show the same rows, so they can be part of a key."""

    request: str = ""
    """One request id."""
    key: str = ""
    payment: str = ""
    status: str = ""
    code: str = ""
    route: str = ""
    """What the route's template holds."""
    idempotency: str = ""
    before: str = ""
    """The request behind which this page goes on."""

    @classmethod
    def of(cls, query: QueryParams) -> RequestFilters:
        """Those of an address; what is not known or too long is left out."""
        given = {each.name: query.get(each.name, "").strip() for each in fields(cls)}
        if given["status"] not in STATUSES:
            given["status"] = ""
        return cls(**{name: text for name, text in given.items() if _usable(text)})

    def behind(self, request_id: str) -> RequestFilters:
        """The same, from behind a request on."""
        return replace(self, before=request_id)

    def __str__(self) -> str:
        """As the query of an address."""
        return urlencode({name: text for name, text in asdict(self).items() if text})

    def clauses(self, place: tuple[datetime, str] | None) -> tuple[Conditions, str]:
        """What an index serves, and the clauses that none does. `place` is where the page before
        ended."""
        indexed = Conditions(STATEMENT_PARAMETERS)
        if self.request:
            indexed.add("id = {}", self.request)
        if place is not None:
            indexed.add("(at, id) < ({}, {})", *place)
        also = Conditions(STATEMENT_PARAMETERS + len(indexed.values))
        for column, text in (
            ("key_id", self.key),
            ("payment_id", self.payment),
            ("code", self.code),
            ("idempotency", self.idempotency),
        ):
            if text:
                also.add(f"{column} = {{}}", text)
        if self.status:
            also.add("status between {} and {}", *STATUSES[self.status])
        if self.route:
            also.add("position({} in route) > 0", self.route)
        indexed.values += also.values
        return indexed, also.where


def _usable(text: str) -> bool:
    return len(text) <= TEXT_CHARACTERS_MAX and text.isprintable()
