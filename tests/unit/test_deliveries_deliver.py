"""Deliver: what is posted, what is told, and what is not posted twice."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest

from headgate.agents.attempt import Poster
from headgate.agents.deliver import Deliver
from headgate.streams.bus import Bus, Record
from headgate.streams.clock import now_ms
from headgate.streams.codec import decode
from headgate.streams.deliveries import (
    ATTEMPT_MADE,
    DELIVERY_WANTED,
    AttemptMade,
    DeliveryWanted,
)
from headgate.streams.engine.intake import Delivered, Event
from headgate.streams.errors import StoreUnavailable
from headgate.streams.outbound.transport import Answer, DeliveryFailed
from headgate.streams.secrets import SecretBox, draw_secret_key, draw_webhook_secret
from headgate.streams.settings import Settings
from headgate.streams.signatures import verify, verify_seed
from headgate.streams.signatures_asymmetric import draw_signing_key
from headgate.tables.configuration import (
    Configuration,
    ConfigurationCopy,
    Endpoint,
    EndpointSecret,
)
from headgate.tables.deliveries import (
    HELD,
    REPEATED,
    manual_token,
    ready,
    scheduled_token,
    successor,
)
from headgate.tables.deliveries_store import DeliveryStore, Known

BOX = SecretBox(draw_secret_key())
SECRET = draw_webhook_secret()
ENDPOINT = Endpoint(
    id="ep_1",
    merchant_id="mer_1",
    mode="test",
    is_default=True,
    url="https://shop.example/hook",
    sealed_secret=BOX.seal(SECRET),
    event_types=("payment.success",),
    enabled=True,
)
SETTINGS = Settings(
    webhook_in_flight_max=16, webhook_endpoint_in_flight_max=2, webhook_lane_wait_ms=10
)
WANTED = DeliveryWanted(
    delivery_id="dlv_1",
    event_id="evt_1",
    endpoint_id="ep_1",
    merchant_id="mer_1",
    payment_id="pay_1",
    mode="test",
    type="payment.success",
    token=scheduled_token("dlv_1", 1),
    body='{"id":"evt_1","note":"žluť"}',
    created_at_ms=1,
)


def answer(status: int, body: bytes = b"ok") -> Answer:
    return Answer(status, [], body, False, 0, 1, 2)


@dataclass
class Receiver:
    """A sender whose receiver answers as told, and that can be held up."""

    answers: list[Answer | Exception] = field(default_factory=list)
    posts: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout_ms: int,
        *,
        livemode: bool = False,
    ) -> Answer:
        assert not livemode
        assert timeout_ms == SETTINGS.webhook_timeout_ms
        self.posts.append((url, body, headers))
        await self.gate.wait()
        said = self.answers.pop(0) if self.answers else answer(200)
        if isinstance(said, Exception):
            raise said
        return said


@dataclass
class Store:
    """What is on record; None is a PostgreSQL that is away."""

    known_by_token: dict[str, Known] | None = field(default_factory=dict)
    asked: int = 0

    async def known(self, wanted: Sequence[DeliveryWanted]) -> list[Known]:
        self.asked += 1
        if self.known_by_token is None:
            raise StoreUnavailable("away")
        return [self.known_by_token.get(one.token, Known()) for one in wanted]


@dataclass
class Log:
    """What was published, one list per publish."""

    publishes: list[list[Record]] = field(default_factory=list)

    async def publish_until_acked(self, records: Sequence[Record]) -> None:
        await asyncio.sleep(0)
        self.publishes.append(list(records))

    @property
    def records(self) -> list[Record]:
        return [record for publish in self.publishes for record in publish]

    def attempts(self) -> list[AttemptMade]:
        return [
            decode(ATTEMPT_MADE, record.value)
            for record in self.records
            if record.topic == "webhooks.attempts"
        ]

    def later(self) -> list[tuple[DeliveryWanted, dict[str, bytes]]]:
        return [
            (decode(DELIVERY_WANTED, record.value), dict(record.headers))
            for record in self.records
            if record.topic.startswith("delay.") or record.topic == "webhooks.ready"
        ]


class House:
    """A Deliver and what is around it."""

    def __init__(self, endpoint: Endpoint | None = ENDPOINT) -> None:
        self.receiver, self.store, self.log = Receiver(), Store(), Log()
        self.receiver.gate.set()

        class Copy:
            now = Configuration(endpoints={endpoint.id: endpoint} if endpoint else {})

        self.deliver = Deliver(
            SETTINGS,
            cast("DeliveryStore", self.store),
            cast("Bus", self.log),
            cast("ConfigurationCopy", Copy()),
            Poster(SETTINGS, self.receiver, BOX),
        )

    async def handle(
        self,
        wanted: DeliveryWanted = WANTED,
        *,
        redelivered: bool = False,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        await self.deliver.handle(delivered(wanted, headers or {}), redelivered)


def delivered(wanted: DeliveryWanted, headers: Mapping[str, bytes]) -> Delivered:
    record = ready(wanted, SETTINGS)
    return Delivered(
        "webhooks.ready",
        record.partition,
        7,
        record.key,
        record.value,
        headers,
        1,
        cast("Event", None),
    )


async def test_the_fact_is_posted_verbatim_and_both_signatures_hold() -> None:
    house = House()
    await house.handle()
    (url, body, headers) = house.receiver.posts[0]
    assert (url, body) == (ENDPOINT.url, WANTED.body.encode())
    assert headers["webhook-id"] == "evt_1"
    verify(SECRET, headers, body, now=float(headers["webhook-timestamp"]))
    verify_seed(SECRET, headers, body)


async def test_every_live_secret_signs_and_the_merchants_headers_ride_along_08_r33() -> None:
    old, key = draw_webhook_secret(), draw_signing_key()
    rotated = {
        "older_secrets": (EndpointSecret(sealed=BOX.seal(old), expires_at_ms=now_ms() + 60_000),),
        "sealed_headers": BOX.seal('{"X-Tenant":"7"}'),
        "sealed_signing_key": BOX.seal(key),
    }
    house = House(ENDPOINT.model_copy(update=rotated))
    await house.handle()
    ((_, body, headers),) = house.receiver.posts
    for secret in (old, SECRET):
        verify(secret, headers, body, now=float(headers["webhook-timestamp"]))
    verify_seed(old, headers, body)
    assert headers["X-Tenant"] == "7"
    assert headers["webhook-signature"].split(" ")[2].startswith("v1a,")


async def test_a_success_is_told_and_nothing_follows() -> None:
    house = House()
    await house.handle()
    (made,) = house.log.attempts()
    assert (made.kind, made.status_code, made.answer, made.next_attempt) == (
        *("success", 200, "ok"),
        None,
    )
    assert house.log.later() == []
    assert house.store.asked == 0, "a first attempt costs no query"


@pytest.mark.parametrize(
    "failure", [answer(500), DeliveryFailed("refused", "connect"), RuntimeError("a bug of ours")]
)
async def test_a_failure_of_any_kind_is_told_together_with_the_next_try(
    failure: Answer | Exception,
) -> None:
    house = House()
    house.receiver.answers = [failure]
    await house.handle()
    (publish,) = house.log.publishes
    assert [record.topic for record in publish] == ["webhooks.attempts", "delay.1m"]
    (made,), ((following, headers),) = house.log.attempts(), house.log.later()
    assert (made.kind, made.attempt, made.next_attempt) == ("failed", 1, 2)
    assert (following.attempt, following.body) == (2, WANTED.body)
    assert headers["not-before"] == b"%d" % (made.next_at_ms or 0)
    assert headers["target"] == b"webhooks.ready"


async def test_a_blocked_address_is_told_and_final() -> None:
    house = House()
    house.receiver.answers = [DeliveryFailed("the address is not allowed", "blocked")]
    await house.handle()
    assert [made.kind for made in house.log.attempts()] == ["blocked"]
    assert house.log.later() == []


async def test_a_crowded_address_holds_the_delivery_up_and_uses_up_no_try() -> None:
    house = House()
    house.receiver.answers = [DeliveryFailed("too much is under way", "crowded")]
    await house.handle()
    assert house.log.attempts() == []
    assert [record.topic for record in house.log.records] == ["delay.1s"]
    await house.handle(headers={HELD: b"1"})
    assert [(made.kind, made.attempt) for made in house.log.attempts()] == [("success", 1)]


async def test_a_token_seen_lately_is_not_posted_again() -> None:
    house = House()
    await house.handle()
    await house.handle(redelivered=True)
    assert len(house.receiver.posts) == 1


async def test_a_repeat_during_the_attempt_waits_for_it() -> None:
    house = House()
    house.receiver.gate.clear()
    both = [asyncio.create_task(house.handle()) for _ in range(2)]
    await asyncio.sleep(0.01)
    house.receiver.gate.set()
    await asyncio.gather(*both)
    assert len(house.receiver.posts) == len(house.log.attempts()) == 1


async def test_an_attempt_on_record_is_not_posted_but_its_successor_told_again_08_r27() -> None:
    house = House()
    house.store.known_by_token = {WANTED.token: Known(True, 2, 4_000_000_000_000)}
    await house.handle(redelivered=True)
    assert house.receiver.posts == []
    assert house.log.attempts() == []
    ((following, headers),) = house.log.later()
    assert following == successor(WANTED, 2, 4_000_000_000_000).wanted
    assert headers["not-before"] == b"4000000000000"


async def test_a_chain_that_ended_is_not_begun_again_08_r27() -> None:
    house = House()
    house.store.known_by_token = {WANTED.token: Known(True)}
    await house.handle(headers={REPEATED: b"1"})
    assert house.receiver.posts == []
    assert house.log.records == []


async def test_a_retry_of_a_delivery_that_has_arrived_is_dropped_08_r28() -> None:
    house = House()
    wanted = successor(WANTED, 2, 0).wanted
    house.store.known_by_token = {wanted.token: Known(delivered=True)}
    await house.handle(wanted)
    assert house.receiver.posts == []
    assert house.log.records == []


async def test_retry_now_posts_even_what_has_arrived_and_schedules_nothing_08_r28() -> None:
    house = House()
    house.receiver.answers = [answer(500)]
    token = manual_token("dlv_1", "n")
    wanted = WANTED.model_copy(update={"attempt": 2, "token": token, "manual": True})
    house.store.known_by_token = {token: Known(delivered=True)}
    await house.handle(wanted)
    assert [(made.manual, made.next_attempt) for made in house.log.attempts()] == [(True, None)]
    assert house.log.later() == []


async def test_without_postgresql_attempts_are_made_unchecked() -> None:
    house = House()
    house.store.known_by_token = None
    await house.handle(redelivered=True)
    await house.handle(successor(WANTED, 2, 0).wanted)
    assert len(house.receiver.posts) == 2
    assert house.store.asked == 1, "it is not asked again at once"


async def test_an_unknown_endpoint_holds_its_deliveries_longer_each_time_08_r31() -> None:
    house = House(endpoint=None)
    await house.handle(redelivered=True)
    await house.handle(headers={HELD: b"2"})
    await house.handle(headers={HELD: b"99"})
    assert house.log.attempts() == []
    assert [record.topic for record in house.log.records] == ["delay.1s", "delay.30s", "delay.5m"]
    ((wanted, headers), *_) = house.log.later()
    assert (wanted, headers[HELD], headers[REPEATED]) == (WANTED, b"1", b"1")


async def test_a_secret_that_does_not_open_holds_the_deliveries() -> None:
    foreign = SecretBox(draw_secret_key()).seal(SECRET)
    house = House(ENDPOINT.model_copy(update={"sealed_secret": foreign}))
    await house.handle()
    assert [record.topic for record in house.log.records] == ["delay.1s"]


async def test_a_disabled_endpoint_fails_visibly_without_a_post() -> None:
    house = House(ENDPOINT.model_copy(update={"enabled": False}))
    await house.handle()
    assert house.receiver.posts == []
    (made,) = house.log.attempts()
    assert (made.kind, made.next_attempt) == ("blocked", None)
    assert "disabled" in (made.error or "")


async def test_a_crowded_endpoint_is_held_up_without_counting_an_attempt() -> None:
    house = House()
    house.receiver.gate.clear()
    tokens = [scheduled_token(f"dlv_{number}", 1) for number in range(3)]
    tasks = [
        asyncio.create_task(house.handle(WANTED.model_copy(update={"token": token})))
        for token in tokens
    ]
    await asyncio.wait({tasks[2]})
    assert [record.topic for record in house.log.records] == ["delay.1s"]
    house.receiver.gate.set()
    await asyncio.gather(*tasks)
    assert len(house.log.attempts()) == 2
    await house.handle(WANTED.model_copy(update={"token": tokens[2]}), headers={HELD: b"1"})
    assert len(house.log.attempts()) == 3


async def test_what_finishes_together_is_published_together() -> None:
    house = House()
    wanted = [WANTED.model_copy(update={"token": f"t{n}", "endpoint_id": "ep_1"}) for n in range(2)]
    await asyncio.gather(*map(house.handle, wanted))
    assert [len(publish) for publish in house.log.publishes] == [2]


async def test_what_cannot_be_read_goes_to_the_dead_letters() -> None:
    house = House()
    record = delivered(WANTED, {})
    record.value = b"{}"
    await house.deliver.handle(record, False)
    (dead,) = house.log.records
    assert dead.topic == "webhooks.ready.dead"
    assert dict(dead.headers)["x-origin-offset"] == b"7"


async def test_an_answer_is_kept_as_text_that_postgresql_takes() -> None:
    house = House()
    house.receiver.answers = [answer(200, b"a\0\xff" + b"x" * 20_000)]
    await house.handle()
    (made,) = house.log.attempts()
    assert made.answer.startswith("a\ufffd\ufffdx")
    assert len(made.answer) == 16_384


async def test_an_attempt_tells_what_was_sent_and_how_long_each_part_took() -> None:
    sealed = BOX.seal('{"X-Tenant":"7"}')
    house = House(ENDPOINT.model_copy(update={"sealed_headers": sealed}))
    house.receiver.answers = [Answer(500, [(b"Server", b"shop")], b"no", False, 1, 2, 3)]
    await house.handle()
    (made,) = house.log.attempts()
    assert made.request_headers["X-Tenant"] == "[hidden]"
    assert made.request_headers["webhook-id"] == "evt_1"
    assert (made.connect_ms, made.first_byte_ms, made.duration_ms) == (1, 2, 3)
    assert (made.answer, made.answer_headers) == ("no", {"server": "shop"})
    assert made.created_at_ms == WANTED.created_at_ms


async def test_an_attempt_without_an_answer_tells_what_was_sent() -> None:
    house = House()
    house.receiver.answers = [DeliveryFailed("refused", "connect")]
    await house.handle()
    (made,) = house.log.attempts()
    assert made.request_headers["webhook-id"] == "evt_1"
    assert (made.answer_headers, made.connect_ms, made.first_byte_ms) == ({}, None, None)
