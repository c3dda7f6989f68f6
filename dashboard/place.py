"""What every screen works with: settings, PostgreSQL, the REST surface, the hub, the pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headgate.dashboard.hub import Hub
from headgate.dashboard.pages import Pages
from headgate.dashboard.rest import Rest
from headgate.dashboard.screens import Screen
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres


@dataclass(frozen=True, slots=True)
class Place:
    """Screens read PostgreSQL by named statements, and act through the REST surface alone."""

    settings: Settings
    postgres: Postgres
    rest: Rest
    hub: Hub
    pages: Pages
    screens: Sequence[Screen]
