"""All screens in the order of the navigation, and the place that they work in."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import httpx
from starlette.routing import Route

from headgate.dashboard.dead_letter_screen import DEAD_LETTERS
from headgate.dashboard.deliveries import DELIVERIES
from headgate.dashboard.delivery_rows import held_for
from headgate.dashboard.endpoint_screen import ENDPOINTS
from headgate.dashboard.hub import Hub
from headgate.dashboard.in_doubt import IN_DOUBT
from headgate.dashboard.keys import KEYS
from headgate.dashboard.log_screen import LOG
from headgate.dashboard.machine import Machine
from headgate.dashboard.now import NOW
from headgate.dashboard.pages import Pages
from headgate.dashboard.payment import PAYMENT
from headgate.dashboard.payments import PAYMENTS
from headgate.dashboard.place import Place
from headgate.dashboard.portal import portal_routes
from headgate.dashboard.record_screen import RECORDS
from headgate.dashboard.refunds import REFUNDS
from headgate.dashboard.replay import REPLAY
from headgate.dashboard.replay_runs import ReplayRuns
from headgate.dashboard.rest import Rest
from headgate.dashboard.screens import Screen
from headgate.dashboard.seed_pages import seed_routes
from headgate.dashboard.settings_screen import SETTINGS
from headgate.dashboard.tables_screen import TABLES
from headgate.dashboard.words import WORDS
from headgate.dashboard.workers import WORKERS
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres

SCREENS: Sequence[Screen] = (
    NOW,
    PAYMENTS,
    PAYMENT,
    REFUNDS,
    IN_DOUBT,
    ENDPOINTS,
    DELIVERIES,
    DEAD_LETTERS,
    LOG,
    RECORDS,
    TABLES,
    WORKERS,
    REPLAY,
    KEYS,
    SETTINGS,
)


def outside(place: Place) -> list[Route]:
    """What is answered beside the dashboard: the seed's pages, and the merchants' portals."""
    return [*seed_routes(place), *portal_routes(place)]


def place_of(
    settings: Settings, postgres: Postgres, edge: httpx.AsyncClient, edge_url: str | None = None
) -> Place:
    """Where the screens work; `edge` reaches the REST surface, and `edge_url` is where others on
    this machine reach it (by default where this process's edge listens)."""

    async def positions() -> Hashable:
        return tuple(await postgres.fetch_row("dashboard_positions") or ())

    pages = Pages()
    pages.add(**WORDS, held_for=held_for)
    machine = Machine(settings)
    runs = ReplayRuns(settings, edge_url or f"http://{settings.http_host}:{settings.http_port}")
    return Place(settings, postgres, Rest(edge), Hub(positions), pages, SCREENS, machine, runs)
