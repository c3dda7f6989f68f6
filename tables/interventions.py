"""What operators did in the dashboard, as the audit keeps it beside what it led to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headgate.streams.commands import Mode
from headgate.tables.merchants import audit
from headgate.tables.postgres import Postgres


@dataclass(frozen=True, slots=True)
class Intervention:
    """One thing that was done, and with which words."""

    subject: str
    """A payment, its capture, refund or the like; a load test."""
    merchant_id: str | None
    """Whose it is, and who sees it in the audit besides operators; None: nobody's."""
    mode: Mode
    said: Mapping[str, str]


async def note(
    postgres: Postgres, actor: str, action: str, interventions: Sequence[Intervention]
) -> None:
    """Write down that `actor` did `action` to all of them, in one transaction. Raises
    StoreUnavailable."""
    async with postgres.connection() as connection, connection.transaction():
        for one in interventions:
            change = {**one.said, "merchant_id": one.merchant_id, "mode": one.mode}
            await audit(connection, actor, action, one.subject, change)
