"""Endpoints that answered 410 are disabled once, however long PostgreSQL is away."""

from __future__ import annotations

import asyncio
from typing import cast

from headgate.agents.gone import Gone
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ConfigurationCopy, Endpoint
from tests.unit.deliver_setting import ENDPOINT


class Place:
    """Where endpoints are disabled; away for the first few times."""

    def __init__(self, away: int) -> None:
        self.away = away
        self.disabled: list[str] = []
        self.refreshed = asyncio.Event()

    async def disable(self, endpoint: Endpoint) -> bool:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away")
        self.disabled.append(endpoint.id)
        return True

    async def refresh(self) -> None:
        self.refreshed.set()


async def test_each_is_disabled_once_when_postgresql_is_back_and_known_of_at_once() -> None:
    place = Place(away=3)
    settings = Settings(retry_backoff_ms=1)
    gone = Gone(settings, place.disable, cast("ConfigurationCopy", place))
    task = asyncio.create_task(gone.run())
    for _ in range(5):
        gone.note(ENDPOINT)
    gone.note(ENDPOINT.model_copy(update={"id": "ep_2"}))
    await asyncio.wait_for(place.refreshed.wait(), 30)
    assert place.disabled == ["ep_1", "ep_2"]
    place.refreshed.clear()
    gone.note(ENDPOINT.model_copy(update={"id": "ep_3"}))
    await asyncio.wait_for(place.refreshed.wait(), 30)
    assert place.disabled == ["ep_1", "ep_2", "ep_3"]
    task.cancel()
