"""Payments as rows: the pages of a search, newest first, of those that a person may see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from headgate.dashboard.qualifiers import Selection
from headgate.dashboard.viewer import Viewer
from headgate.tables.conditions import Conditions
from headgate.tables.postgres import Postgres, Row

LOOKED_AT_MAX = 50_000
"""Payments that one page of a search looks at; then it offers to go on."""
LIVE_LOOKED_AT_MAX = 2_000
"""The same four times a second: what is new is among the newest."""
EXPORT_ROWS_MAX = 10_000
"""Rows of one CSV file."""
EXPORT_PAGE_ROWS = 500
"""Rows that an export reads at a time."""
_PARAMETERS = 4


@dataclass(frozen=True)
class Page:
    """One page of a search."""

    rows: Sequence[Row]
    after: str | None
    """The id that the next page begins behind; None on the last page."""
    cut_short: bool = False
    """Whether more payments would have to be looked at to fill the page."""


class PaymentRows:
    """Reads for one person, and never what that person may not see."""

    def __init__(self, postgres: Postgres, viewer: Viewer) -> None:
        self._postgres = postgres
        self._merchant_id, self._mode = viewer.merchant_id, viewer.mode
        # A text of its own for each, so that PostgreSQL takes the right index.
        self._whose = "merchant_id = $1" if viewer.merchant_id else "$1::text is null"

    async def page(
        self, chosen: Selection, after: str | None, limit: int, looked_at: int = LOOKED_AT_MAX
    ) -> Page:
        """The page behind a payment; an unknown `after` is the first page. Raises
        StoreUnavailable."""
        begins = await self._begins(after)
        rows = await self._rows(chosen, begins, limit + 1, looked_at)
        if len(rows) > limit:
            return Page(rows[:limit], rows[limit - 1]["id"])
        if chosen.pinned or not chosen.clauses:
            return Page(rows, None)
        last = await self._last(begins, looked_at)
        return Page(rows, last, cut_short=last is not None)

    async def export(self, chosen: Selection) -> AsyncIterator[Sequence[Row]]:
        """The newest of a search, some rows at a time, EXPORT_ROWS_MAX at most."""
        after, left = None, EXPORT_ROWS_MAX
        while left > 0:
            page = await self.page(chosen, after, min(EXPORT_PAGE_ROWS, left))
            yield page.rows
            left -= len(page.rows)
            after = page.after
            if after is None:
                return

    async def _begins(self, after: str | None) -> tuple[object, ...]:
        """Creation and id of the payment that a page begins behind; empty for the first page."""
        if after is None:
            return ()
        row = await self._postgres.fetch_row(
            "dashboard_payment_place", self._merchant_id, self._mode, after
        )
        return (row["created_at"], row["id"]) if row else ()

    async def _rows(
        self, chosen: Selection, begins: tuple[object, ...], limit: int, looked_at: int
    ) -> Sequence[Row]:
        after, where = Conditions(_PARAMETERS), Conditions(_PARAMETERS + len(begins))
        _behind(after, begins)
        for one in chosen.clauses:
            where.add(one.sql, one.value)
        clauses = {"whose": self._whose, "after": after.where, "where": where.where}
        name = "dashboard_payments_pinned" if chosen.pinned else "dashboard_payments"
        return await self._postgres.fetch_where(
            name, clauses, self._merchant_id, self._mode, limit, looked_at,
            *after.values, *where.values,
        )  # fmt: skip

    async def _last(self, begins: tuple[object, ...], looked_at: int) -> str | None:
        after = Conditions(_PARAMETERS - 1)
        _behind(after, begins)
        found = await self._postgres.fetch_where(
            "dashboard_payments_last", {"whose": self._whose, "after": after.where},
            self._merchant_id, self._mode, looked_at - 1, *after.values,
        )  # fmt: skip
        return str(found[0]["id"]) if found else None


def _behind(conditions: Conditions, begins: tuple[object, ...]) -> None:
    if begins:
        conditions.add("(created_at, id) < ({}, {})", *begins)
