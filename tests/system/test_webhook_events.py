"""Operational events in a real PostgreSQL: noted with their cause, told, delivered once."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from headgate.agents.event_relay import EventRelay
from headgate.agents.notify_operational import NotifyOperational
from headgate.http.webhook_gauges import WebhookGauges
from headgate.streams.bus import Bus, Record
from headgate.streams.clock import from_ms
from headgate.streams.commands import Mode
from headgate.streams.engine.intake import Delivered
from headgate.streams.errors import LogUnavailable
from headgate.streams.operational_events import EndpointNamed, EventBytes, webhook_test
from headgate.streams.operational_events import endpoint_disabled as disabled
from headgate.streams.settings import Settings
from headgate.streams.topics import WEBHOOKS_EVENTS
from headgate.tables.claims import PostgresClaims
from headgate.tables.endpoint import EndpointWanted
from headgate.tables.endpoint_health import Rules
from headgate.tables.endpoint_health_store import EndpointHealth
from headgate.tables.endpoint_states import disable, enable, hold
from headgate.tables.endpoints import change
from headgate.tables.postgres import statements
from headgate.tables.webhook_events import WebhookEvents, note
from tests.system.test_webhooks_store import NOW, Log, Shop

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


class FragileLog(Log):
    """A log that can be away."""

    away = False

    async def publish(self, records: Sequence[Record]) -> None:
        if self.away:
            raise LogUnavailable("away")
        self.records += records


class Events:
    """A shop with an endpoint for everything, and what handles operational events."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.log = FragileLog()
        shop.log = self.log
        bus = cast("Bus", self.log)
        self.store = WebhookEvents(shop.postgres)
        self.matching = NotifyOperational(
            shop.settings, shop.store, bus, shop.configuration, self.store
        )
        self.relay = EventRelay(shop.settings, self.store, bus)
        self.endpoint = EndpointNamed(id="", merchant_id="")

    async def open(self) -> None:
        shop = self.shop
        await shop.open()
        self.endpoint = EndpointNamed(id=shop.endpoint_id, merchant_id=shop.merchant_id)
        claims = PostgresClaims(shop.postgres)
        shop.claims[WEBHOOKS_EVENTS.name] = await claims.take(WEBHOOKS_EVENTS.name, {0: 0}, "test")

    def read(self, event: EventBytes) -> Delivered:
        record = event.record(self.shop.settings)
        found = self.shop.delivered(
            WEBHOOKS_EVENTS.name, record.key, record.value or b"", dict(record.headers)
        )
        found.timestamp_ms = record.timestamp_ms or 0
        return found

    async def match(self, *events: EventBytes) -> None:
        await self.matching.handle(self.shop.batch(*(self.read(event) for event in events)))

    async def note(self, *events: EventBytes) -> None:
        async with self.shop.postgres.connection() as connection, connection.transaction():
            await note(connection, events)

    async def tell(self, most: int = 100) -> int:
        return await self.store.tell(self.relay._publish, most)

    def told(self) -> list[str]:
        name = WEBHOOKS_EVENTS.full_name(self.shop.settings)
        return [
            dict(record.headers)["ce_id"].decode()
            for record in self.log.records
            if record.topic == name
        ]


@pytest.fixture
async def events(live_settings: Settings, tmp_path: os.PathLike[str]) -> AsyncIterator[Events]:
    events = Events(Shop(live_settings.model_copy(update={"state_dir": tmp_path})))
    await events.open()
    yield events
    await events.shop.postgres.close()


async def test_a_test_becomes_one_delivery_to_its_endpoint(events: Events) -> None:
    await events.shop.add_endpoint("*")
    told = webhook_test(events.endpoint, "test", "key-1", NOW)
    await events.match(told)
    (wanted,) = events.shop.wanted()
    assert (wanted.endpoint_id, wanted.event_id) == (events.shop.endpoint_id, told.event_id)
    assert (wanted.payment_id, wanted.type) == (None, "webhook.test")
    assert wanted.body.encode() == told.payload
    row = await events.shop.row(wanted.delivery_id)
    assert (row["status"], row["payment_id"]) == ("pending", None)


async def test_a_test_asked_for_twice_under_one_key_keeps_its_bytes_08_r9(events: Events) -> None:
    first = webhook_test(events.endpoint, "test", "key-1", NOW)
    again = webhook_test(events.endpoint, "test", "key-1", NOW + 5000)
    assert first.payload != again.payload
    await events.match(first, again)
    await events.match(again)
    wanted = events.shop.wanted()
    assert len({(one.delivery_id, one.token, one.body, one.created_at_ms) for one in wanted}) == 1
    assert wanted[0].body.encode() == first.payload


async def test_an_event_goes_to_whoever_asks_for_it(events: Events) -> None:
    greedy = await events.shop.add_endpoint("*")
    exact = await events.shop.add_endpoint("webhook_endpoint.disabled")
    await events.match(disabled(events.endpoint, "test", "merchant", NOW))
    assert {one.endpoint_id for one in events.shop.wanted()} == {greedy, exact}


async def test_what_is_noted_is_told_once_in_order_and_only_if_it_commits(events: Events) -> None:
    noted = [disabled(events.endpoint, "test", "gone", NOW + n) for n in range(5)]
    await events.note(*noted[3:], *noted[:3])
    await events.note(noted[0])
    async with events.shop.postgres.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await note(connection, [disabled(events.endpoint, "test", "gone", NOW + 9)])
        await transaction.rollback()
    assert [await events.tell(2) for _ in range(4)] == [2, 2, 1, 0]
    assert events.told() == [one.event_id for one in noted]


async def test_a_log_that_is_away_delays_events_and_loses_none(events: Events) -> None:
    event = disabled(events.endpoint, "test", "gone", NOW + 1)
    await events.note(event)
    events.log.away = True
    with pytest.raises(LogUnavailable):
        await events.tell()
    events.log.away = False
    assert await events.tell() == 1
    assert events.told() == [event.event_id]


async def test_two_relays_share_the_work(events: Events) -> None:
    await events.note(*(disabled(events.endpoint, "test", "gone", NOW + n) for n in range(4)))
    counts = []

    async def publish_while_another_tells(found: Sequence[EventBytes]) -> None:
        counts.append(len(found))
        counts.append(await events.tell(3))

    assert await events.store.tell(publish_while_another_tells, 3) == 3
    assert counts == [3, 1]
    assert await events.tell() == 0


async def test_an_event_that_was_noted_is_kept_once(events: Events) -> None:
    event = disabled(events.endpoint, "test", "gone", NOW + 1)
    await events.note(event)
    await events.match(event)
    assert await events.tell() == 0
    async with events.shop.postgres.connection() as connection:
        rows = await connection.fetch("select event_id, told from webhook_events")
    assert [tuple(row) for row in rows] == [(event.event_id, True)]


async def test_a_broken_event_is_a_dead_letter_and_the_rest_goes_on(events: Events) -> None:
    shop = events.shop
    await shop.add_endpoint("*")
    await shop.configuration.refresh()
    good = events.read(disabled(events.endpoint, "test", "gone", NOW + 1))
    latin = events.read(disabled(events.endpoint, "test", "gone", NOW + 2))
    latin.value = b"\xff"
    nul = events.read(disabled(events.endpoint, "test", "gone", NOW + 3))
    nul.headers = {**nul.headers, "ce_id": b"evt_\0"}
    late = events.read(disabled(events.endpoint, "test", "gone", NOW + 4))
    late.headers = {**late.headers, "ce_time": b"2026-02-30T00:00:00Z"}
    bare = shop.delivered(WEBHOOKS_EVENTS.name, b"mer_1", b"{}")
    await events.matching.handle(shop.batch(bare, latin, nul, late, good))
    dead = [record for record in events.log.records if record.topic.endswith("events.dead")]
    assert len(dead) == 4
    assert good.headers["ce_id"].decode() in {one.event_id for one in shop.wanted()}


async def test_bodies_of_facts_and_of_events_are_in_one_view_read_by_index(
    events: Events,
) -> None:
    """The list of deliveries must not read a table to show a page."""
    async with events.shop.postgres.connection() as connection:
        await connection.execute(
            "insert into facts select 'pay_' || n, 1, 'evt_' || n, 'payment.success', '{}', now()"
            " from generate_series(1, 5000) n"
        )
        await connection.execute(
            "insert into webhook_deliveries(id, event_id, endpoint_id, merchant_id, mode, type,"
            " created_at) select 'dlv_' || n, 'evt_' || n, 'ep_1', $1, 'test', 'payment.success',"
            " to_timestamp(n) from generate_series(1, 5000) n",
            events.endpoint.merchant_id,
        )
        await connection.execute("analyze facts; analyze webhook_deliveries")
        text = "explain (format json) " + statements()["deliveries"]
        found = await connection.fetchval(text, events.endpoint.merchant_id, "test", 20, 0)
        assert "Seq Scan" not in json.dumps(json.loads(found)), found
    told = webhook_test(events.endpoint, "test", "key-1", NOW)
    await events.match(told)
    async with events.shop.postgres.connection() as connection:
        row = await connection.fetchrow(
            "select * from event_bodies where event_id = $1", told.event_id
        )
    assert row is not None
    assert (row["type"], row["payload"]) == ("webhook.test", told.payload)
    assert row["created_at"] == from_ms(NOW)


async def test_whoever_turns_the_switch_tells_it_once_and_only_if_it_turned(
    events: Events,
) -> None:
    shop, endpoint_id = events.shop, events.shop.endpoint_id
    whose: tuple[str, Mode] = (shop.merchant_id, "test")
    await disable(shop.postgres, endpoint_id, "gone", "headgate")
    await disable(shop.postgres, endpoint_id, "gone", "headgate")
    await hold(shop.postgres, endpoint_id, "operator", whose)
    for _ in range(2):
        await enable(shop.postgres, endpoint_id, "operator", whose)
    await hold(shop.postgres, endpoint_id, "operator", whose)
    assert await events.tell() == 3
    bodies = [json.loads(record.value or b"") for record in events.log.records]
    assert [(body["type"], body["data"].get("reason")) for body in bodies] == [
        ("webhook_endpoint.disabled", "gone"),
        ("webhook_endpoint.enabled", None),
        ("webhook_endpoint.disabled", "merchant"),
    ]
    assert {body["data"]["endpoint"]["id"] for body in bodies} == {endpoint_id}


async def test_an_endpoint_is_not_told_that_it_is_disabled_but_another_one_is(
    events: Events,
) -> None:
    shop = events.shop
    deaf, greedy = await shop.add_endpoint("*"), await shop.add_endpoint("webhook_endpoint.*")
    await disable(shop.postgres, deaf, "failing", "headgate")
    await events.tell()
    [record] = [one for one in events.log.records if one.topic.endswith("webhooks.events")]
    found = shop.delivered(
        WEBHOOKS_EVENTS.name, record.key, record.value or b"", dict(record.headers)
    )
    await events.matching.handle(shop.batch(found))
    assert [wanted.endpoint_id for wanted in shop.wanted()] == [greedy]


async def test_enabling_an_endpoint_and_moving_it_begin_the_count_anew(events: Events) -> None:
    shop, endpoint_id = events.shop, events.shop.endpoint_id
    whose: tuple[str, Mode] = (shop.merchant_id, "test")
    health = EndpointHealth(shop.postgres, Rules(after_ms=1000, attempts_min=20))

    async def failing() -> int:
        async with shop.postgres.connection() as connection:
            return int(await connection.fetchval("select attempts from webhook_endpoint_health"))

    await health.count([(1, shop.made(1, "failed"))])
    assert await failing() == 1
    await hold(shop.postgres, endpoint_id, "operator", whose)
    await enable(shop.postgres, endpoint_id, "operator", whose)
    assert await failing() == 0
    await health.count([(2, shop.made(2, "failed"))])

    def moved(wanted: EndpointWanted) -> EndpointWanted:
        return dataclasses.replace(wanted, url="https://shop.example/new")

    await change(shop.postgres, endpoint_id, "operator", whose, moved)
    assert await failing() == 0


async def test_old_events_are_forgotten_a_few_at_a_time_and_never_untold_ones(
    events: Events,
) -> None:
    long_ago = [disabled(events.endpoint, "test", "gone", n * 1000) for n in range(5)]
    await events.note(*long_ago)
    assert await events.store.forget(NOW, 100) == 0
    await events.tell()
    assert [await events.store.forget(3500, 3) for _ in range(3)] == [3, 1, 0]
    await events.relay.forget()
    async with events.shop.postgres.connection() as connection:
        assert await connection.fetchval("select count(*) from webhook_events") == 0


async def test_what_is_left_to_do_is_counted_for_prometheus(events: Events) -> None:
    shop = events.shop
    registry = CollectorRegistry()
    await events.note(*(disabled(events.endpoint, "test", "gone", NOW + n) for n in range(3)))
    gone = EndpointHealth(shop.postgres, Rules(after_ms=1000, attempts_min=20))
    await gone.count([(1, shop.made(1, "failed")), (2, shop.made(1, "failed", endpoint_id="ep_x"))])
    async with shop.postgres.connection() as connection:
        for number, why in enumerate(("open", "crowded", "disabled")):
            await connection.execute(
                "insert into held_deliveries(delivery_id, chain, endpoint_id, partition, position,"
                " token, attempt, hold, why, fifo, wanted, body, held_since)"
                " values($1, '', 'ep_1', 0, 1, $1, 1, 1, $2, false, '{}', '', now())",
                *(f"dlv_{number}", why),
            )
        for number, (status, found) in enumerate(
            (("sending", 10), ("paused", 5), ("completed", 7))
        ):
            await connection.execute(
                "insert into webhook_replays(id, merchant_id, mode, endpoint_id, which, types,"
                " from_at, to_at, dry_run, request, status, found, sent)"
                " values($1, $2, 'test', 'ep_1', 'all', '{}', now(), now(), false, '', $3, $4, 2)",
                *(f"rpl_{number}", shop.merchant_id, status, found),
            )
    await WebhookGauges(shop.postgres, registry).refresh()
    shown = {
        (sample.name.removeprefix("headgate_webhook_"), sample.labels.get("status")): sample.value
        for family in registry.collect()
        for sample in family.samples
    }
    assert shown == {
        ("deliveries", "held"): 2,
        ("deliveries", "parked"): 1,
        ("replays", "counting"): 0,
        ("replays", "sending"): 1,
        ("replays", "paused"): 1,
        ("replay_events_left", None): 11,
        ("endpoints_failing", None): 1,
        ("events_untold", None): 3,
    }
