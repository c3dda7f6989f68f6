"""Deliveries in a real PostgreSQL: wanted once, attempted and counted once, green for good."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from headgate.agents.notify import Notify
from headgate.agents.project import Project
from headgate.agents.webhook_metrics import WebhookMetrics
from headgate.agents.webhook_watch import WebhookWatch
from headgate.streams import ids
from headgate.streams.bus import Bus, Record
from headgate.streams.clock import from_ms
from headgate.streams.codec import decode, encode
from headgate.streams.deliveries import DELIVERY_WANTED, AttemptMade, DeliveryWanted, Kind
from headgate.streams.engine.batch import Batch
from headgate.streams.engine.claims import Claim
from headgate.streams.engine.intake import Delivered, Event
from headgate.streams.errors import ClaimLost
from headgate.streams.settings import Settings
from headgate.tables import merchants
from headgate.tables.claims import PostgresClaims
from headgate.tables.configuration import ConfigurationCopy
from headgate.tables.deliveries import manual_token, scheduled_token
from headgate.tables.deliveries_store import DeliveryStore, Known
from headgate.tables.endpoint_health import Rules
from headgate.tables.endpoint_health_store import EndpointHealth
from headgate.tables.migrate import migrate
from headgate.tables.postgres import Postgres, Row, statements
from headgate.tables.webhook_events import WebhookEvents

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

NOW = 1_800_000_000_000


class Log:
    """What was published."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def publish_until_acked(self, records: Sequence[Record]) -> None:
        self.records += records


class Shop:
    """A merchant with an endpoint, and the handlers around a real PostgreSQL."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.postgres = Postgres(settings)
        self.store = DeliveryStore(self.postgres)
        self.configuration = ConfigurationCopy(settings, self.postgres)
        self.log = Log()
        bus = cast("Bus", self.log)
        self.notify = Notify(settings, self.store, bus, self.configuration)
        watch = WebhookWatch(
            WebhookEvents(self.postgres),
            EndpointHealth(self.postgres, Rules.of(settings)),
            self.never,
            WebhookMetrics(CollectorRegistry()),
        )
        self.project = Project(settings, self.store, bus, watch)
        self.claims: dict[str, dict[int, Claim]] = {}
        self.merchant_id = self.endpoint_id = ""
        self._offset = 0

    async def never(self, endpoint_id: str) -> bool:
        raise AssertionError(f"{endpoint_id} must not be disabled")

    async def open(self) -> None:
        await migrate(self.settings)
        pair = await merchants.create(self.postgres, "Shop", "shop@example.com", "test")
        self.merchant_id = pair.merchant_id
        self.endpoint_id = await self.add_endpoint("payment.success", "payment.failed")
        claims = PostgresClaims(self.postgres)
        for topic in ("payments.facts", "webhooks.attempts"):
            self.claims[topic] = await claims.take(topic, {0: 0}, "test")

    async def add_endpoint(self, *types: str) -> str:
        endpoint_id = ids.draw_id("ep_")
        async with self.postgres.connection() as connection:
            await connection.execute(
                "insert into webhook_endpoints(id, merchant_id, mode, url, sealed_secret,"
                " event_types) values($1, $2, 'test', 'https://shop.example/', 'sealed', $3)",
                *(endpoint_id, self.merchant_id, list(types)),
            )
            await connection.execute(statements()["bump_configuration"])
        return endpoint_id

    def fact(self, event_id: str = "evt_1", **headers: str) -> Delivered:
        """A fact of the shop, that of a payment's success unless told otherwise."""
        told = {
            "ce_id": event_id,
            "ce_type": "payment.success",
            "merchant-id": self.merchant_id,
            "livemode": "false",
        } | {name.replace("_id", "-id"): value for name, value in headers.items()}
        raw = {name: value.encode() for name, value in told.items()}
        return self.delivered(
            "payments.facts", b"pay_1", b'{"id":"' + event_id.encode() + b'"}', raw
        )

    def delivered(
        self, topic: str, key: bytes, value: bytes, headers: dict[str, bytes] | None = None
    ) -> Delivered:
        self._offset += 1
        event = cast("Event", None)
        return Delivered(topic, 0, self._offset, key, value, headers or {}, NOW, event)

    def batch(self, *records: Delivered) -> Batch:
        return Batch(list(records), self.claims[records[0].topic])

    async def attempt(self, attempt: int, kind: Kind, **more: object) -> None:
        """Project one attempt of the one delivery."""
        await self.attempts(self.made(attempt, kind, **more))

    async def attempts(self, *made: AttemptMade) -> None:
        records = [self.delivered("webhooks.attempts", b"dlv_1", encode(one)) for one in made]
        await self.project.handle(self.batch(*records))

    def made(self, attempt: int, kind: Kind, **more: object) -> AttemptMade:
        last = kind == "success" or attempt == 5
        return AttemptMade.model_validate(
            {
                "delivery_id": "dlv_1",
                "event_id": "evt_1",
                "endpoint_id": self.endpoint_id,
                "merchant_id": self.merchant_id,
                "payment_id": "pay_1",
                "mode": "test",
                "type": "payment.success",
                "attempt": attempt,
                "token": scheduled_token("dlv_1", attempt),
                "kind": kind,
                "status_code": 200 if kind == "success" else 500,
                "error": None,
                "answer": f"answer {attempt}",
                "created_at_ms": NOW,
                "started_at_ms": NOW + attempt * 1000,
                "duration_ms": 5,
                "next_attempt": None if last else attempt + 1,
                "next_at_ms": None if last else NOW + attempt * 1000 + 60_000,
            }
            | more
        )

    async def row(self, delivery_id: str = "dlv_1") -> Row:
        async with self.postgres.connection() as connection:
            row = await connection.fetchrow(
                "select * from webhook_deliveries where id = $1", delivery_id
            )
        assert row is not None
        return row

    def wanted(self) -> list[DeliveryWanted]:
        return [
            decode(DELIVERY_WANTED, record.value)
            for record in self.log.records
            if record.topic.endswith("webhooks.ready")
        ]


@pytest.fixture
async def shop(live_settings: Settings, tmp_path: os.PathLike[str]) -> AsyncIterator[Shop]:
    shop = Shop(live_settings.model_copy(update={"state_dir": tmp_path}))
    await shop.open()
    yield shop
    await shop.postgres.close()


async def test_a_fact_becomes_one_pending_delivery_with_its_bytes(shop: Shop) -> None:
    fact = shop.fact()
    await shop.notify.handle(shop.batch(fact))
    (wanted,) = shop.wanted()
    assert wanted.body.encode() == fact.value
    assert (wanted.endpoint_id, wanted.payment_id, wanted.created_at_ms) == (
        *(shop.endpoint_id, "pay_1"),
        NOW,
    )
    row = await shop.row(wanted.delivery_id)
    assert (row["status"], row["attempts"], row["event_id"]) == ("pending", 0, "evt_1")


async def test_a_fact_told_twice_is_the_same_delivery_marked_as_repeated_08_r27(
    shop: Shop,
) -> None:
    for _ in range(2):
        await shop.notify.handle(shop.batch(shop.fact()))
    first, second = shop.log.records
    assert first.value == second.value
    assert "repeated" not in dict(first.headers)
    assert "repeated" in dict(second.headers)


async def test_a_fact_written_again_at_another_time_is_the_same_delivery(shop: Shop) -> None:
    facts = [shop.fact(ce_time="2026-11-23T16:07:09.123Z") for _ in range(2)]
    facts[1].timestamp_ms += 60_000
    for fact in facts:
        await shop.notify.handle(shop.batch(fact))
    first, second = shop.wanted()
    assert first == second
    assert (await shop.row(first.delivery_id))["created_at"] == from_ms(first.created_at_ms)


async def test_a_fact_whose_time_cannot_be_read_is_a_dead_letter(shop: Shop) -> None:
    await shop.notify.handle(shop.batch(shop.fact(ce_time="yesterday")))
    [dead] = shop.log.records
    assert dead.topic.endswith("payments.facts.dead")


async def test_facts_that_nobody_wants_only_move_the_position(shop: Shop) -> None:
    facts = [
        shop.fact(ce_type="payment.created"),
        shop.fact(merchant_id="mer_other"),
        shop.fact(livemode="true"),
    ]
    await shop.notify.handle(shop.batch(*facts))
    assert shop.log.records == []
    claims = await PostgresClaims(shop.postgres).take("payments.facts", {0: 0}, "next")
    assert claims[0].next_offset == facts[-1].offset + 1


async def test_an_endpoint_made_after_the_copy_gets_the_fact_08_r30(shop: Shop) -> None:
    await shop.configuration.refresh()
    later = await shop.add_endpoint("payment.success")
    await shop.notify.handle(shop.batch(shop.fact()))
    assert {wanted.endpoint_id for wanted in shop.wanted()} == {shop.endpoint_id, later}


async def test_an_endpoint_that_asks_for_everything_gets_a_fact_once(shop: Shop) -> None:
    greedy = await shop.add_endpoint("*", "payment.created")
    await shop.notify.handle(shop.batch(shop.fact(ce_type="payment.created")))
    assert [wanted.endpoint_id for wanted in shop.wanted()] == [greedy]


async def test_a_fact_without_its_headers_is_a_dead_letter_and_the_rest_goes_on(
    shop: Shop,
) -> None:
    broken = shop.delivered("payments.facts", b"pay_1", b"{}")
    latin = shop.fact("evt_2")
    latin.value = b"\xff"
    await shop.notify.handle(shop.batch(broken, latin, shop.fact("evt_3")))
    assert [wanted.event_id for wanted in shop.wanted()] == ["evt_3"]
    dead = [record for record in shop.log.records if record.topic.endswith("payments.facts.dead")]
    assert len(dead) == 2


async def test_a_row_that_postgresql_refuses_blocks_nobody_08_r6(shop: Shop) -> None:
    await shop.configuration.refresh()
    refused = shop.fact("evt_\0")
    await shop.notify.handle(shop.batch(shop.fact("evt_1"), refused, shop.fact("evt_3")))
    assert [wanted.event_id for wanted in shop.wanted()] == ["evt_1", "evt_3"]
    [dead] = [record for record in shop.log.records if record.topic.endswith(".dead")]
    assert dead.topic.endswith("payments.facts.dead")


@pytest.mark.parametrize("topic", ["payments.facts", "webhooks.attempts"])
async def test_without_its_claim_nothing_is_stored_or_published_08_r1(
    shop: Shop, topic: str
) -> None:
    await PostgresClaims(shop.postgres).take(topic, {0: 0}, "another")
    work = shop.attempt(1, "failed")
    if topic == "payments.facts":
        work.close()
        work = shop.notify.handle(shop.batch(shop.fact()))
    with pytest.raises(ClaimLost):
        await work
    assert shop.log.records == []
    async with shop.postgres.connection() as connection:
        for table in ("webhook_deliveries", "webhook_attempts"):
            assert await connection.fetchval(f"select count(*) from {table}") == 0  # noqa: S608


async def test_attempts_make_the_row_that_the_seed_shows(shop: Shop) -> None:
    await shop.attempt(1, "failed")
    row = await shop.row()
    assert (row["status"], row["attempts"], row["response_code"]) == ("pending", 1, 500)
    assert (row["response_body"], row["next_retry_at"] is None) == ("answer 1", False)
    await shop.attempt(2, "success")
    row = await shop.row()
    assert (row["status"], row["attempts"], row["response_code"]) == ("success", 2, 200)
    assert row["next_retry_at"] is None


async def test_the_last_failure_fails_the_delivery_and_a_retry_turns_it_green(shop: Shop) -> None:
    await shop.attempts(*(shop.made(attempt, "failed") for attempt in range(1, 6)))
    row = await shop.row()
    assert (row["status"], row["attempts"], row["next_retry_at"]) == ("failed", 5, None)
    manual = {"manual": True, "next_attempt": None, "next_at_ms": None}
    await shop.attempt(6, "failed", token=manual_token("dlv_1", "a"), **manual)
    assert (await shop.row())["status"] == "failed"
    await shop.attempt(6, "success", token=manual_token("dlv_1", "b"), **manual)
    row = await shop.row()
    assert (row["status"], row["attempts"]) == ("success", 7)


async def test_an_attempt_keeps_all_that_was_told_of_it(shop: Shop) -> None:
    told = {
        "request_headers": {"webhook-id": "evt_1", "X-Shop": "****"},
        "answer_headers": {"Server": "shop"},
        "connect_ms": 3,
        "first_byte_ms": 9,
        "answer": "a" * 16_384,
    }
    await shop.attempt(1, "failed", **told)
    async with shop.postgres.connection() as connection:
        row = await connection.fetchrow("select * from webhook_attempts")
    assert row is not None
    assert {name: json.loads(row[name]) for name in ("request_headers", "answer_headers")} == {
        name: told[name] for name in ("request_headers", "answer_headers")
    }
    assert (row["connect_ms"], row["first_byte_ms"], row["answer"]) == (3, 9, told["answer"])
    assert (await shop.row())["response_body"] == "a" * 1000
    (known,) = await shop.store.known([wanted_of(shop, 1)])
    assert known.recorded


async def test_attempts_told_before_they_named_a_time_find_their_delivery(shop: Shop) -> None:
    await shop.attempt(1, "failed")
    await shop.attempt(2, "success", created_at_ms=None)
    row = await shop.row()
    assert (row["status"], row["attempts"]) == ("success", 2)


async def test_an_attempt_told_twice_counts_once(shop: Shop) -> None:
    made = shop.made(1, "failed")
    await shop.attempts(made, made)
    await shop.attempts(made)
    assert (await shop.row())["attempts"] == 1


async def test_a_late_failure_does_not_take_back_a_success(shop: Shop) -> None:
    await shop.attempt(2, "success")
    await shop.attempt(1, "failed")
    row = await shop.row()
    assert (row["status"], row["response_code"], row["next_retry_at"]) == ("success", 200, None)
    await shop.attempts(shop.made(2, "failed"))
    assert (await shop.row())["status"] == "success"


async def test_of_two_tries_of_one_attempt_the_success_stands(shop: Shop) -> None:
    await shop.attempt(1, "failed")
    await shop.attempt(1, "success", status_code=200)
    row = await shop.row()
    assert (row["status"], row["attempts"], row["response_code"]) == ("success", 1, 200)
    (known,) = await shop.store.known([wanted_of(shop, 1)])
    assert known == Known(True, None, None, True)


async def test_a_failed_retry_now_leaves_the_schedule_08_r28(shop: Shop) -> None:
    await shop.attempt(1, "failed")
    before = (await shop.row())["next_retry_at"]
    manual = {"manual": True, "next_attempt": None, "next_at_ms": None}
    await shop.attempt(2, "failed", token=manual_token("dlv_1", "a"), **manual)
    row = await shop.row()
    assert (row["status"], row["next_retry_at"], row["attempts"]) == ("pending", before, 2)


async def test_what_is_known_of_an_attempt_is_told_exactly(shop: Shop) -> None:
    await shop.attempt(1, "failed", next_at_ms=NOW + 61_007)
    known = await shop.store.known([wanted_of(shop, 1), wanted_of(shop, 2), wanted_of(shop, 1)])
    assert known == [Known(True, 2, NOW + 61_007), Known(), Known(True, 2, NOW + 61_007)]


async def test_an_attempt_that_cannot_be_read_is_a_dead_letter(shop: Shop) -> None:
    broken = shop.delivered("webhooks.attempts", b"dlv_1", b"{}")
    refused = shop.delivered(
        "webhooks.attempts", b"dlv_1", encode(shop.made(1, "failed", answer="\0", token="t"))
    )
    good = shop.delivered("webhooks.attempts", b"dlv_1", encode(shop.made(2, "success")))
    await shop.project.handle(shop.batch(broken, refused, good))
    assert (await shop.row())["attempts"] == 1
    assert len([one for one in shop.log.records if one.topic.endswith(".dead")]) == 2


def wanted_of(shop: Shop, attempt: int) -> DeliveryWanted:
    made = shop.made(attempt, "failed")
    return DeliveryWanted.model_validate(
        made.model_dump(include=set(DeliveryWanted.model_fields)) | {"body": ""}
    )
