"""Deliver: what is posted, what is told, and what is not posted twice."""

from __future__ import annotations

import asyncio

import pytest

from headgate.streams.clock import now_ms
from headgate.streams.outbound.transport import Answer, DeliveryFailed
from headgate.streams.secrets import SecretBox, draw_secret_key, draw_webhook_secret
from headgate.streams.signatures import verify, verify_seed
from headgate.streams.signatures_asymmetric import draw_signing_key
from headgate.tables.configuration import EndpointSecret
from headgate.tables.deliveries import CIRCLED, HELD, REPEATED, manual_token, successor
from headgate.tables.deliveries_store import Known
from tests.unit.deliver_setting import BOX, ENDPOINT, SECRET, WANTED, House, answer, delivered


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
    assert [(one.what, one.why) for one in house.log.notices()] == [("held", "crowded")]
    assert house.lanes.of("ep_1").bucket.rate(house.clock.now) == 0.5, "it is slowed down"
    house.clock.now += 2
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


async def test_what_an_unknown_endpoint_wants_goes_around_and_is_then_held_08_r31() -> None:
    house = House(endpoint=None)
    await house.handle(redelivered=True)
    await house.handle(headers={CIRCLED: b"1"})
    await house.handle(headers={CIRCLED: b"2"})
    assert house.log.attempts() == []
    topics = [record.topic for record in house.log.records]
    assert topics == ["delay.1s", "delay.5s", "webhooks.attempts"]
    ((wanted, headers), *_) = house.log.later()
    assert (wanted, headers[CIRCLED], headers[REPEATED]) == (WANTED, b"1", b"1")
    assert [(one.what, one.why) for one in house.log.notices()] == [("held", "unready")]


async def test_a_secret_that_does_not_open_holds_the_deliveries() -> None:
    foreign = SecretBox(draw_secret_key()).seal(SECRET)
    house = House(ENDPOINT.model_copy(update={"sealed_secret": foreign}))
    await house.handle()
    assert [record.topic for record in house.log.records] == ["delay.1s"]


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
