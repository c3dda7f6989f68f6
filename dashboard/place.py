"""What every screen works with: settings, PostgreSQL, the REST surface, the hub, the pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headgate.dashboard.hub import Hub
from headgate.dashboard.machine import Machine
from headgate.dashboard.pages import Pages
from headgate.dashboard.replay_runs import ReplayRuns
from headgate.dashboard.rest import Rest
from headgate.dashboard.screens import Screen
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres


@dataclass(frozen=True, slots=True)
class Place:
    """Screens read PostgreSQL by named statements, and act through the REST surface alone; those
    of the machine room read the log, and act on it, through `machine`; load tests are `runs`."""

    settings: Settings
    postgres: Postgres
    rest: Rest
    hub: Hub
    pages: Pages
    screens: Sequence[Screen]
    machine: Machine
    runs: ReplayRuns

    async def close(self) -> None:
        """Let the viewers go, end load tests, and close every connection of the dashboard's own."""
        await self.hub.close()
        await self.runs.close()
        await self.machine.close()
        await self.postgres.close()
