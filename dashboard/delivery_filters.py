"""The filters of the screen Deliveries: what stands in its address, as clauses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from headgate.dashboard.address_filters import AddressFilters
from headgate.tables.conditions import Conditions

STATUSES = ("pending", "success", "failed", "held", "parked", "canceled")
STATEMENT_PARAMETERS = 4
"""Those that `dashboard_deliveries` has before its clauses."""


@dataclass(frozen=True, slots=True)
class Filters(AddressFilters):
    """Which deliveries."""

    endpoint: str = ""
    status: str = ""
    type: str = ""
    since: str = ""
    """When the events were made, at the earliest: `2026-11-26T08:30`, in UTC."""
    until: str = ""

    @property
    def wrong(self) -> str:
        """What is wrong with them, as a sentence; empty when they can be looked for."""
        if self.status and self.status not in STATUSES:
            return f"There is no status {self.status!r}; choose one of {', '.join(STATUSES)}."
        for text in (self.since, self.until):
            if text and moment(text) is None:
                return f"{text!r} is no time; write it like 2026-11-26T08:30, in UTC."
        return ""

    def clauses(self, place: tuple[datetime, str] | None) -> tuple[Conditions, str]:
        """What an index serves, and the clause that none does. `place` is where the page before
        ended."""
        conditions = Conditions(STATEMENT_PARAMETERS)
        if self.endpoint:
            conditions.add("endpoint_id = {}", self.endpoint)
        if self.status:
            # One of our own words, in the text: the planner then knows its index.
            conditions.add(f"status = '{self.status}'")
        for comparison, text in ((">=", self.since), ("<", self.until)):
            if text:
                conditions.add(f"created_at {comparison} {{}}", moment(text))
        if place is not None:
            conditions.add("(created_at, id) < ({}, {})", *place)
        also = Conditions(STATEMENT_PARAMETERS + len(conditions.values))
        if self.type:
            also.add("type = {}", self.type)
        conditions.values += also.values
        return conditions, also.where


def moment(text: str) -> datetime | None:
    """The time that somebody wrote, in UTC where no zone stands; None when it is none."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
