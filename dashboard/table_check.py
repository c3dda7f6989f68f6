"""The table of open payments against PostgreSQL: what the changelog last said of each key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headgate.streams.ids import partition_of
from headgate.streams.log_reader import LogReader, Seen, newest
from headgate.streams.settings import Settings
from headgate.streams.topics import changelog_topic
from headgate.tables.postgres import Postgres

SCAN_MAX = 20_000
"""Records of the changelog that a check goes through, the newest of each partition."""
COMPARED_MAX = 1000
"""Open payments that a check compares, those written last."""


@dataclass(frozen=True, slots=True)
class Side:
    """A payment as one of the two has it."""

    version: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Drift:
    """A payment of which the table and PostgreSQL say different things."""

    payment_id: str
    table: int | None
    stored: int | None


@dataclass(frozen=True, slots=True)
class Check:
    """What a check came to."""

    compared: int
    drifts: list[Drift]
    complete: bool
    """False when the table holds more than was compared."""


async def last_said(
    reader: LogReader, settings: Settings, key: str = ""
) -> tuple[dict[str, bytes], bool]:
    """The table as its changelog tells it, of one key or of all, the one written last at the end;
    and whether that is all of it. Raises LogUnavailable."""
    name = changelog_topic(settings).full_name(settings)
    extents = await reader.extents([name])
    if key:
        part = (name, partition_of(key, settings.partitions))
        extents = {part: extents[part]}
    spans = newest(extents, SCAN_MAX // len(extents))
    held: dict[str, bytes] = {}

    def look(seen: Seen) -> bool:
        said = seen.record.key.decode(errors="replace")
        if not key or said == key:
            held.pop(said, None)
            if seen.record.value is not None:
                held[said] = seen.record.value
        return False

    reading = await reader.read(spans, look)
    return held, reading.complete and spans == extents


async def stored(postgres: Postgres, keys: list[str]) -> dict[str, str]:
    """The payments' records in PostgreSQL, as JSON. Raises StoreUnavailable."""
    rows = await postgres.fetch("dashboard_table_rows", keys)
    return {row["id"]: row["record"] for row in rows}


async def check(reader: LogReader, settings: Settings, postgres: Postgres) -> Check:
    """Compare what the table holds. Raises Unavailable."""
    held, whole = await last_said(reader, settings)
    wanted = dict(list(held.items())[-COMPARED_MAX:])
    rows = await stored(postgres, list(wanted))
    return Check(len(wanted), drifts(wanted, rows), whole and len(wanted) == len(held))


def drifts(table: Mapping[str, bytes], rows: Mapping[str, str]) -> list[Drift]:
    """Where the two differ, in content or in that one lacks it."""
    return [
        Drift(key, side(value).version, side(rows.get(key)).version)
        for key, value in table.items()
        if document(value) != document(rows.get(key))
    ]


def document(said: bytes | str | None) -> Any:
    """The JSON, None for what is none."""
    try:
        return json.loads(said) if said is not None else None
    except ValueError:
        return None


def side(said: bytes | str | None) -> Side:
    """One side for people."""
    found = document(said)
    version = found.get("version") if isinstance(found, dict) else None
    text = json.dumps(found, indent=2, ensure_ascii=False, sort_keys=True) if found else ""
    return Side(version, text)
