"""The filters of the request log: what stands in the address of Keys & requests, as clauses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from headgate.dashboard.address_filters import AddressFilters
from headgate.tables.conditions import Conditions

STATEMENT_PARAMETERS = 4
"""Those that `dashboard_requests` has before its clauses."""
STATUSES = {"2xx": (200, 299), "4xx": (400, 499), "5xx": (500, 599)}
"""Statuses by their class: first and last."""
IDEMPOTENCIES = ("fresh", "replayed", "conflict")


@dataclass(frozen=True, slots=True)
class RequestFilters(AddressFilters):
    """Which requests."""

    request: str = ""
    """One request id."""
    key: str = ""
    payment: str = ""
    status: str = ""
    """A class of STATUSES; another word is as none."""
    code: str = ""
    route: str = ""
    """What the route's template holds."""
    idempotency: str = ""

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
        if self.status in STATUSES:
            also.add("status between {} and {}", *STATUSES[self.status])
        if self.route:
            also.add("position({} in route) > 0", self.route)
        indexed.values += also.values
        return indexed, also.where
