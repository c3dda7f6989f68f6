"""CSV files that a spreadsheet opens without running anything that is in them."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence

from starlette.responses import Response

from headgate.dashboard.streamed import Streamed
from headgate.tables.postgres import Row

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a cell begins with that a spreadsheet takes for a formula (OWASP, CSV Injection)."""


def cell(value: object) -> str:
    """A value as it stands in a cell. Text that could be a formula gets an apostrophe before it;
    a number stays one."""
    if value is None:
        return ""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def lines(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV (RFC 4180)."""
    out = io.StringIO()
    csv.writer(out).writerows([[cell(value) for value in row] for row in rows])
    return out.getvalue()


async def csv_of(
    name: str, columns: Sequence[str], pages: AsyncIterator[Sequence[Row]]
) -> Response:
    """Stream pages of rows as a file. The first page is read before the answer begins, so that a
    database that is away is a page for people. Raises StoreUnavailable."""
    first = await anext(pages, ())

    async def written() -> AsyncIterator[str]:
        yield lines([columns])
        yield lines(_cells(first, columns))
        async for page in pages:
            yield lines(_cells(page, columns))

    headers = {
        "Content-Disposition": f'attachment; filename="{name}.csv"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Streamed(written(), media_type="text/csv; charset=utf-8", headers=headers)


def _cells(rows: Iterable[Row], columns: Sequence[str]) -> list[list[object]]:
    return [[_plain(row[column]) for column in columns] for row in rows]


def _plain(value: object) -> object:
    """Times as ISO 8601, so that no locale gets hold of them."""
    moment = getattr(value, "isoformat", None)
    return moment(timespec="milliseconds") if moment is not None else value
