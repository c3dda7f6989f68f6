"""A payment as it was: at a time, or at a position of the log, folded from its facts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import orjson

from headgate.http.consistency import Consistency
from headgate.http.problems_of_requests import ParameterInvalid, ResourceMissing
from headgate.http.query import Query, moment
from headgate.streams import ids
from headgate.streams.cards import quoted
from headgate.streams.commands import ChildKind
from headgate.streams.settings import Settings
from headgate.tables.conditions import Conditions
from headgate.tables.configuration import ApiKey
from headgate.tables.postgres import Postgres

NAME = "as_of"
_FACT_PARAMETERS = 3


class AsOf:
    """Reads `as_of` and the past."""

    def __init__(self, settings: Settings, consistency: Consistency, postgres: Postgres) -> None:
        self._partitions = settings.partitions
        self._consistency = consistency
        self._postgres = postgres

    async def until(self, query: Query, payment_id: str) -> datetime | int | None:
        """The time or the offset that the query names, None without. A position ahead of settle is
        waited for, or what it shows would change. Raises ParameterInvalid, NotCaughtUp."""
        given = query.one(NAME)
        if given is None:
            return None
        if "@" not in given:
            return moment(NAME, given)
        positions = self._consistency.positions.parse(given, NAME)
        partition = ids.partition_of(payment_id, self._partitions)
        if partition not in positions:
            raise ParameterInvalid(
                f"{NAME} names no position of partition {partition}, where this payment is.",
                param=NAME,
            )
        offset = positions[partition]
        await self._consistency.wait_for({partition: offset})
        return offset

    async def fact(
        self, payment_id: str, api_key: ApiKey, until: datetime | int
    ) -> tuple[int, bytes] | None:
        """The sequence and the snapshot of the last fact that had been told then."""
        conditions = Conditions(_FACT_PARAMETERS)
        if isinstance(until, int):
            conditions.add(
                "f.sequence <= (select max(o.last_sequence) from operations o"
                ' where o.payment_id = $1 and o."offset" <= {})',
                until,
            )
        else:
            conditions.add("f.created_at <= {}", until)
        whose = (payment_id, api_key.merchant_id, api_key.mode)
        rows = await self._postgres.fetch_where(
            "fact_as_of", {"where": conditions.where}, *whose, *conditions.values
        )
        if not rows:
            return None
        told = orjson.loads(rows[0]["payload"])
        return rows[0]["sequence"], orjson.dumps(told["data"]["payment"])

    async def children(
        self, payment_id: str, sequence: int, kinds: Sequence[ChildKind]
    ) -> dict[ChildKind, list[bytes]]:
        """The payment's children of these kinds as they were at this fact."""
        rows = await self._postgres.fetch("child_facts_until", payment_id, sequence, list(kinds))
        last: dict[str, dict[str, object]] = {}
        for row in rows:
            data = orjson.loads(row["payload"])["data"]
            last |= {data[kind]["id"]: data[kind] for kind in kinds if kind in data}
        return {
            kind: [orjson.dumps(child) for child in last.values() if child["object"] == kind]
            for kind in kinds
        }


def not_yet(payment_id: str) -> ResourceMissing:
    """There was no such payment then."""
    return ResourceMissing(f"There was no payment {quoted(payment_id)} yet.")
