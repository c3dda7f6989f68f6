"""The watch in a real PostgreSQL: what failing endpoints and exhausted deliveries lead to."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from headgate.agents.project import Project
from headgate.agents.webhook_metrics import WebhookMetrics
from headgate.agents.webhook_watch import WebhookWatch
from headgate.streams.bus import Bus
from headgate.streams.codec import encode
from headgate.streams.deliveries import AttemptMade
from headgate.streams.engine.intake import Delivered
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.deliveries import manual_token
from headgate.tables.endpoint_health import Rules
from headgate.tables.endpoint_health_store import EndpointHealth, forgive
from headgate.tables.webhook_events import WebhookEvents
from tests.system.test_webhooks_store import NOW, Shop

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

MINUTE_MS = 60_000
RULES = Rules(after_ms=10 * MINUTE_MS, attempts_min=4)
MANUAL = {"manual": True, "next_attempt": None, "next_at_ms": None}


class Watched:
    """A shop whose attempts are watched, by rules of minutes."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.disabled: list[str] = []
        self.store_away = False
        health = EndpointHealth(shop.postgres, RULES)
        self.registry = CollectorRegistry()
        metrics = WebhookMetrics(self.registry)
        watch = WebhookWatch(WebhookEvents(shop.postgres), health, self._disable, metrics)
        shop.project = Project(shop.settings, shop.store, cast("Bus", shop.log), watch)

    async def _disable(self, endpoint_id: str) -> bool:
        if self.store_away:
            raise StoreUnavailable("away")
        self.disabled.append(endpoint_id)
        return self.disabled.count(endpoint_id) == 1

    def failed(self, minute: int, **more: object) -> AttemptMade:
        """A failure of a delivery of its own that goes on, so many minutes after the first."""
        delivery = {"delivery_id": f"dlv_{minute}", "token": f"dlv_{minute}.1"}
        at = {"started_at_ms": NOW + minute * MINUTE_MS}
        return self.shop.made(1, "failed", **(delivery | at | more))

    def records(self, *made: AttemptMade) -> list[Delivered]:
        return [self.shop.delivered("webhooks.attempts", b"dlv", encode(one)) for one in made]

    async def read(self, records: list[Delivered]) -> None:
        await self.shop.project.handle(self.shop.batch(*records))

    async def told(self) -> list[dict[str, Any]]:
        """The bodies of all operational events, in the order in which they are told."""
        async with self.shop.postgres.connection() as connection:
            rows = await connection.fetch(
                "select payload from webhook_events order by created_at, event_id"
            )
        return [json.loads(row["payload"]) for row in rows]

    async def types(self) -> list[str]:
        return [body["type"] for body in await self.told()]


@pytest.fixture
async def watched(live_settings: Settings, tmp_path: os.PathLike[str]) -> AsyncIterator[Watched]:
    shop = Shop(live_settings.model_copy(update={"state_dir": tmp_path}))
    await shop.open()
    yield Watched(shop)
    await shop.postgres.close()


async def test_the_last_failure_of_a_delivery_is_told_once(watched: Watched) -> None:
    shop = watched.shop
    records = watched.records(*(shop.made(attempt, "failed") for attempt in range(1, 6)))
    for _ in range(2):
        await watched.read(records)
    (body,) = await watched.told()
    assert (body["type"], body["data"]["delivery"]["id"]) == ("delivery.exhausted", "dlv_1")
    assert body["data"]["delivery"]["last_attempt"]["status_code"] == 500


async def test_a_delivery_that_arrived_by_hand_meanwhile_is_not_exhausted(
    watched: Watched,
) -> None:
    by_hand = watched.shop.made(1, "success", token=manual_token("dlv_1", "a"), **MANUAL)
    await watched.read(watched.records(by_hand, watched.shop.made(5, "failed")))
    assert await watched.told() == []


async def test_a_retry_by_hand_that_fails_exhausts_nothing_again(watched: Watched) -> None:
    by_hand = watched.shop.made(5, "failed", token=manual_token("dlv_1", "a"), **MANUAL)
    await watched.read(watched.records(watched.shop.made(5, "failed")))
    await watched.read(watched.records(by_hand))
    assert await watched.types() == ["delivery.exhausted"]


async def test_a_failing_endpoint_is_warned_of_and_disabled(watched: Watched) -> None:
    for minute in range(10):
        await watched.read(watched.records(watched.failed(minute)))
    assert await watched.types() == ["webhook_endpoint.disabling"] * 2
    assert [body["data"]["failing"]["percent"] for body in await watched.told()] == [50, 80]
    assert watched.disabled == []
    await watched.read(watched.records(watched.failed(10)))
    assert watched.disabled == [watched.shop.endpoint_id]


async def test_a_disable_that_failed_is_tried_with_the_same_batch_again(watched: Watched) -> None:
    records = watched.records(*(watched.failed(minute) for minute in range(11)))
    watched.store_away = True
    with pytest.raises(StoreUnavailable):
        await watched.read(records)
    watched.store_away = False
    await watched.read(records)
    assert watched.disabled == [watched.shop.endpoint_id]


async def test_failures_that_are_read_again_count_once(watched: Watched) -> None:
    records = watched.records(*(watched.failed(minute) for minute in range(4)))
    for _ in range(5):
        await watched.read(records)
    async with watched.shop.postgres.connection() as connection:
        rows = await connection.fetch("select attempts, warned from webhook_endpoint_health")
    assert [tuple(row) for row in rows] == [(4, 0)]


async def test_a_success_ends_the_count_and_is_told_after_a_warning(watched: Watched) -> None:
    shop = watched.shop
    await watched.read(watched.records(*(watched.failed(minute) for minute in range(7))))
    arrived = shop.made(1, "success", delivery_id="dlv_a", started_at_ms=NOW + 8 * MINUTE_MS)
    await watched.read(watched.records(arrived))
    assert await watched.types() == ["webhook_endpoint.disabling", "webhook_endpoint.recovered"]
    async with shop.postgres.connection() as connection:
        assert await connection.fetchval("select attempts from webhook_endpoint_health") == 0


async def test_an_endpoint_that_is_forgiven_begins_anew(watched: Watched) -> None:
    await watched.read(watched.records(*(watched.failed(minute) for minute in range(11))))
    async with watched.shop.postgres.connection() as connection, connection.transaction():
        await forgive(connection, watched.shop.endpoint_id)
    await watched.read(watched.records(watched.failed(11)))
    assert watched.disabled == [watched.shop.endpoint_id]


async def test_endpoints_are_counted_apart(watched: Watched) -> None:
    other = [watched.failed(minute, endpoint_id="ep_2") for minute in (0, 1)]
    mine = [watched.failed(minute) for minute in (2, 3, 4)]
    await watched.read(watched.records(*other, *mine))
    async with watched.shop.postgres.connection() as connection:
        rows = await connection.fetch(
            "select endpoint_id, attempts from webhook_endpoint_health order by attempts"
        )
    assert [tuple(row) for row in rows] == [("ep_2", 2), (watched.shop.endpoint_id, 3)]
