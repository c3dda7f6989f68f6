"""What is left to do is counted now and then, and not known while PostgreSQL is away."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from headgate.http import webhook_gauges
from headgate.http.webhook_gauges import WebhookGauges
from headgate.streams.errors import StoreUnavailable
from headgate.tables.postgres import Postgres

NAMES = ("held", "parked", "counting", "sending", "paused", "to_replay", "failing", "untold")


class FakePostgres:
    """Counts how often it is asked; its n-th value is n."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False
        self.silent = False

    async def fetch_row(self, name: str, most: int) -> dict[str, int]:
        assert (name, most) == ("webhook_gauges", webhook_gauges.COUNTED_MAX)
        self.asked += 1
        if self.silent:
            await asyncio.Event().wait()
        if self.away:
            raise StoreUnavailable("away")
        return {name: number for number, name in enumerate(NAMES, start=1)}


def gauges(postgres: FakePostgres) -> tuple[WebhookGauges, CollectorRegistry]:
    registry = CollectorRegistry()
    return WebhookGauges(cast("Postgres", postgres), registry), registry


async def test_counts_are_shown_by_what_they_count() -> None:
    found, registry = gauges(FakePostgres())
    await found.refresh()
    shown = {
        (sample.name, sample.labels.get("status")): sample.value
        for family in registry.collect()
        for sample in family.samples
    }
    assert shown == {
        ("headgate_webhook_deliveries", "held"): 1,
        ("headgate_webhook_deliveries", "parked"): 2,
        ("headgate_webhook_replays", "counting"): 3,
        ("headgate_webhook_replays", "sending"): 4,
        ("headgate_webhook_replays", "paused"): 5,
        ("headgate_webhook_replay_events_left", None): 6,
        ("headgate_webhook_endpoints_failing", None): 7,
        ("headgate_webhook_events_untold", None): 8,
    }


async def test_fifty_who_ask_at_once_are_one_count() -> None:
    postgres = FakePostgres()
    found, _ = gauges(postgres)
    await asyncio.gather(*(found.refresh() for _ in range(50)))
    assert postgres.asked == 1


@pytest.mark.parametrize("how", ["away", "silent"])
async def test_while_postgresql_is_away_nothing_is_known_and_nobody_fails(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_gauges, "COUNT_WAIT_S", 0.01)
    monkeypatch.setattr(webhook_gauges, "COUNTS_KEPT_S", 0.0)
    postgres = FakePostgres()
    found, registry = gauges(postgres)
    await found.refresh()
    setattr(postgres, how, True)
    await found.refresh()
    assert str(registry.get_sample_value("headgate_webhook_endpoints_failing")) == "nan"
    postgres.away = postgres.silent = False
    await found.refresh()
    assert registry.get_sample_value("headgate_webhook_endpoints_failing") == 7
