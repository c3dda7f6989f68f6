"""The health of endpoints in PostgreSQL: counted with the attempts, told in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from headgate.streams.clock import from_ms
from headgate.streams.deliveries import AttemptMade
from headgate.tables.endpoint_health import Health, Rules, Told, after_all
from headgate.tables.merchants import Connection
from headgate.tables.postgres import Postgres, Row, statements
from headgate.tables.webhook_events import note

Seen = Sequence[tuple[int, AttemptMade]]
"""Attempts with their offsets, in the order of the log."""


async def forgive(connection: Connection, endpoint_id: str) -> None:
    """Begin the count anew, in the caller's transaction: the endpoint was enabled, or moved. What
    was counted stays counted, should it be read again."""
    await connection.execute(statements()["forgive_endpoint"], endpoint_id)


class EndpointHealth:
    """Methods raise StoreUnavailable, and RowRefused for a row that will never be taken."""

    def __init__(self, postgres: Postgres, rules: Rules) -> None:
        self._postgres = postgres
        self._rules = rules

    async def count(self, seen: Seen) -> list[str]:
        """Count attempts, note the warnings that follow, and return the endpoints that are to be
        disabled. Counting an attempt twice equals counting it once."""
        by_endpoint: dict[str, list[tuple[int, AttemptMade]]] = {}
        for offset, made in seen:
            by_endpoint.setdefault(made.endpoint_id, []).append((offset, made))
        if not by_endpoint:
            return []
        async with self._postgres.connection() as connection, connection.transaction():
            rows = await connection.fetch(statements()["endpoint_health"], list(by_endpoint))
            before = {row["endpoint_id"]: _health(row) for row in rows}
            told = {
                endpoint_id: after_all(before.get(endpoint_id), attempts, self._rules)
                for endpoint_id, attempts in by_endpoint.items()
            }
            await _store(connection, before, told)
        return [endpoint_id for endpoint_id, one in told.items() if one.disable]


async def _store(
    connection: Connection, before: Mapping[str, Health], told: Mapping[str, Told]
) -> None:
    """Write what changed; of endpoints that are well and stay well, nothing."""
    changed = {
        name: one.health
        for name, one in told.items()
        if one.health is not None and one.health != before.get(name)
    }
    if changed:
        await connection.execute(
            statements()["store_endpoint_health"],
            list(changed),
            [from_ms(health.failing_since_ms) for health in changed.values()],
            [from_ms(health.last_failure_at_ms) for health in changed.values()],
            [health.attempts for health in changed.values()],
            [health.warned for health in changed.values()],
            [health.offset for health in changed.values()],
        )
    await note(connection, [event for one in told.values() for event in one.events])


def _health(row: Row) -> Health:
    return Health(
        failing_since_ms=_ms(row["failing_since"]),
        last_failure_at_ms=_ms(row["last_failure_at"]),
        attempts=row["attempts"],
        warned=row["warned"],
        offset=row["offset"],
    )


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
