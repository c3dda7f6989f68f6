"""The seed's nine endpoints as its clients use them (01 §1.1), and its README's claims made true
(01 §1.2). Nothing here knows of Headgate but how to start it.

`SEED_URL=http://… pytest tests/contract/test_seed_edge.py` asks a gateway that runs already on this
machine, with TEST_MODE, WEBHOOK_RETRY_INTERVALS_TEST and the seed's demo keys.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from headgate.embedded.stack import Stack
from tests.contract.seed_client import (
    API,
    CREDENTIALS,
    Client,
    Receiver,
    client_of,
    receiving,
    until,
)
from tests.system.harness_edge import free_port, other_merchant
from tests.system.harness_running import Running, running_system

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="module"),
]

SECRET = "whsec_test_abc123"
PAYMENT_ID = re.compile(r"pay_[0-9a-z]{15}")
REFUND_ID = re.compile(r"rfnd_[0-9a-z]{16}")
CREATED = {"id", "order_id", "amount", "currency", "method", "vpa", "status", "created_at"}
"""What the seed answers to a create."""
ROW = CREATED | {"merchant_id", "captured", "error_code", "error_description", "updated_at"}
"""The seed's row of a payment."""
REFUND = {"id", "payment_id", "merchant_id", "amount", "reason", "status", "created_at"}
LOG = {
    *("id", "merchant_id", "event", "payload", "status", "attempts", "last_attempt_at"),
    *("next_retry_at", "response_code", "response_body", "created_at"),
}
MISSING = {"error": "Missing required fields"}
NOT_FOUND = {"error": "Payment not found"}
NOT_CAPTURABLE = {
    "error": {"code": "BAD_REQUEST_ERROR", "description": "Payment not in capturable state"}
}
TOO_MUCH = {
    "error": {
        "code": "BAD_REQUEST_ERROR",
        "description": "Refund amount exceeds available amount",
    }
}


@dataclass(frozen=True)
class Shop:
    """A client of the seed, its receiver, and a stranger with keys of another merchant."""

    url: str
    client: Client
    receiver: Receiver
    stranger: Client
    running: Running | None
    """None when the gateway was started by somebody else."""


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes of this module write."""
    return tmp_path_factory.mktemp("seed")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(request: pytest.FixtureRequest, logs: Path) -> AsyncIterator[Shop]:
    """One gateway for the whole module, with the seed's own settings for webhook retries."""
    async with AsyncExitStack() as opened:
        url, running, strange = os.environ.get("SEED_URL"), None, CREDENTIALS
        if url is None:
            stack: Stack = request.getfixturevalue("stack")
            quick = {"WEBHOOK_RETRY_INTERVALS_TEST": "true"}
            running = await opened.enter_async_context(running_system(stack, logs, **quick))
            url, strange = running.url, await other_merchant(running.place)
        shop = Shop(
            url,
            await opened.enter_async_context(client_of(url, CREDENTIALS)),
            await opened.enter_async_context(receiving()),
            await opened.enter_async_context(client_of(url, strange)),
            running,
        )
        told = await shop.client.settings(webhookUrl=shop.receiver.url, webhookSecret=SECRET)
        assert told.json()["success"] is True
        yield shop


@pytest.fixture
def ours(shop: Shop) -> Running:
    """What only a gateway that we started ourselves can be asked."""
    if shop.running is None:
        pytest.skip("SEED_URL names a gateway of somebody else")
    return shop.running


def members(answer: httpx.Response, expected: dict[str, Any]) -> dict[str, Any]:
    """The expected members as they were answered."""
    assert answer.headers["Content-Type"].split(";")[0].endswith("json")
    told = answer.json()
    return {name: told.get(name) for name in expected}


def is_time(text: str) -> bool:
    """Whether it is a time with a zone, as JavaScript writes dates into JSON."""
    return datetime.fromisoformat(text).tzinfo is not None


# The nine endpoints


async def test_health_says_ok(shop: Shop) -> None:
    async with httpx.AsyncClient(base_url=shop.url) as anybody:
        answer = await anybody.get("/health")
    assert (answer.status_code, answer.text) == (200, "OK")
    assert answer.headers["Content-Type"].startswith("text/")


async def test_a_payment_is_created_with_the_seeds_members(shop: Shop) -> None:
    answer = await shop.client.create(order_id="order_seed_1")
    assert answer.status_code == 201
    payment = answer.json()
    assert payment.keys() >= CREATED
    assert PAYMENT_ID.fullmatch(payment["id"])
    assert is_time(payment["created_at"])
    assert {name: payment[name] for name in CREATED - {"id", "created_at"}} == {
        "order_id": "order_seed_1",
        "amount": 50000,
        "currency": "INR",
        "method": "upi",
        "vpa": "user@paytm",
        "status": "pending",
    }


async def test_currency_and_address_may_be_left_out(shop: Shop) -> None:
    payment = (await shop.client.create(currency=None, vpa=None, method="card")).json()
    assert (payment["currency"], payment["vpa"]) == ("INR", None)


@pytest.mark.parametrize(
    "lacking", [{"amount": None}, {"method": None}, {"order_id": None}, {"amount": 0}]
)
async def test_a_create_that_lacks_something_is_told_in_the_seeds_words_08_r19(
    shop: Shop, lacking: dict[str, Any]
) -> None:
    answer = await shop.client.create(**lacking)
    assert answer.status_code == 400
    assert members(answer, MISSING) == MISSING


async def test_a_captured_payment_is_answered_whole(shop: Shop) -> None:
    payment_id = await shop.client.paid()
    for _ in range(2):
        answer = await shop.client.capture(payment_id)
        assert answer.status_code == 200
        payment = answer.json()
        assert payment.keys() >= ROW
        assert (payment["id"], payment["captured"], payment["status"]) == (
            *(payment_id, True),
            "success",
        )
        assert payment["error_code"] is payment["error_description"] is None
        assert is_time(payment["updated_at"])


async def test_a_capture_needs_no_body(shop: Shop) -> None:
    payment_id = await shop.client.paid()
    answer = await shop.client.http.post(f"{API}/payments/{payment_id}/capture")
    assert (answer.status_code, answer.json()["captured"]) == (200, True)


@pytest.mark.parametrize("payment_id", ["pay_aaaaaaaaaaaaaaa", "nonsense"])
async def test_a_capture_of_nothing_is_told_in_the_seeds_words_08_r19(
    shop: Shop, payment_id: str
) -> None:
    answer = await shop.client.capture(payment_id)
    assert answer.status_code == 404
    assert members(answer, NOT_FOUND) == NOT_FOUND


@pytest.mark.parametrize("vpa", ["timeout@upi", "failure@upi"])
async def test_what_has_not_succeeded_cannot_be_captured_08_r19(shop: Shop, vpa: str) -> None:
    """The first one is pending still, the second one has failed or is about to."""
    created = await shop.client.create(vpa=vpa)
    answer = await shop.client.capture(created.json()["id"])
    assert answer.status_code == 400
    assert members(answer, NOT_CAPTURABLE) == NOT_CAPTURABLE


async def test_a_refund_is_pending_then_processed(shop: Shop) -> None:
    payment_id = await shop.client.paid()
    answer = await shop.client.refund(payment_id, 20000, reason="damaged")
    assert answer.status_code == 201
    refund = answer.json()
    assert refund.keys() >= REFUND
    assert REFUND_ID.fullmatch(refund["id"])
    assert is_time(refund["created_at"])
    assert {name: refund[name] for name in ("payment_id", "amount", "reason", "status")} == {
        "payment_id": payment_id,
        "amount": 20000,
        "reason": "damaged",
        "status": "pending",
    }
    processed = await shop.client.processed(refund["id"])
    assert processed.keys() >= REFUND | {"processed_at"}
    assert is_time(processed["processed_at"])
    assert processed["amount"] == 20000


async def test_a_refund_may_have_no_reason(shop: Shop) -> None:
    refund = (await shop.client.refund(await shop.client.paid(), 1)).json()
    assert refund["reason"] is None


async def test_more_than_what_is_left_is_refused_in_the_seeds_words_08_r19(shop: Shop) -> None:
    payment_id = await shop.client.paid()
    assert (await shop.client.refund(payment_id, 30000)).status_code == 201
    answer = await shop.client.refund(payment_id, 20001)
    assert answer.status_code == 400
    assert members(answer, TOO_MUCH) == TOO_MUCH
    assert (await shop.client.refund(payment_id, 20000)).status_code == 201


async def test_what_is_not_there_cannot_be_refunded_or_looked_up(shop: Shop) -> None:
    assert (await shop.client.refund("pay_aaaaaaaaaaaaaaa")).status_code == 404
    for refund_id in ("rfnd_aaaaaaaaaaaaaaaa", "nonsense"):
        answer = await shop.client.get(f"/refunds/{refund_id}")
        assert answer.status_code == 404
        assert answer.json()["error"]


async def test_the_webhook_log_is_a_page_with_its_settings(shop: Shop) -> None:
    payment_id = await shop.client.paid()
    await shop.receiver.told("payment.success", payment_id)
    rows = await until(lambda: shop.client.logs(payment_id), "a row of the log")
    assert rows[0].keys() >= LOG
    assert rows[0]["payload"]["data"]["payment"]["id"] == payment_id
    page = (await shop.client.get("/webhooks")).json()
    assert page.keys() >= {"data", "total", "config", "limit", "offset"}
    assert (page["limit"], page["offset"]) == (10, 0)
    assert page["config"]["webhook_url"] == shop.receiver.url
    assert page["config"].keys() >= {"webhook_url", "webhook_secret"}
    small = (await shop.client.get("/webhooks", limit=1, offset=1)).json()
    assert (len(small["data"]), small["limit"], small["offset"]) == (1, 1, 1)
    assert small["total"] >= page["total"] >= 2


async def test_a_webhook_can_be_sent_again(shop: Shop) -> None:
    payment_id = await shop.client.paid()
    first = (await shop.receiver.told("payment.success", payment_id))[0]
    [row] = await until(lambda: shop.client.logs(payment_id), "a row of the log")
    answer = await shop.client.retry(row["id"])
    assert answer.status_code == 200
    expected = {"id": row["id"], "status": "pending", "message": "Webhook retry scheduled"}
    assert answer.json() == expected
    again = (await shop.receiver.told("payment.success", payment_id, times=2))[1]
    assert again.body == first.body
    assert again.signed_with(SECRET)


@pytest.mark.parametrize("webhook_id", ["3f0c9a1e-0000-4000-8000-000000000000", "nonsense"])
async def test_a_webhook_that_is_not_there_is_not_sent(shop: Shop, webhook_id: str) -> None:
    answer = await shop.client.retry(webhook_id)
    assert answer.status_code == 404
    assert answer.json()["error"]


async def test_settings_are_stored_in_the_seeds_words(shop: Shop) -> None:
    answer = await shop.client.settings(webhookUrl=shop.receiver.url, webhookSecret=SECRET)
    assert answer.status_code == 200
    assert answer.json() == {"success": True, "message": "Webhook settings updated"}


async def test_jobs_are_counted_for_anybody(shop: Shop) -> None:
    await shop.client.paid()

    async def counted() -> dict[str, Any] | None:
        async with httpx.AsyncClient(base_url=shop.url) as anybody:
            answer = await anybody.get(f"{API}/test/jobs/status")
        assert answer.status_code == 200
        jobs: dict[str, Any] = answer.json()
        return jobs if jobs["completed"] else None

    jobs = await until(counted, "a payment counted as completed")
    assert jobs["worker_status"] == "running"
    counts = [jobs[name] for name in ("pending", "processing", "completed", "failed")]
    assert all(type(count) is int and count >= 0 for count in counts)


# Events and webhooks


async def test_success_is_told_signed_and_in_the_seeds_form(shop: Shop) -> None:
    payment_id = await shop.client.paid()
    hook = (await shop.receiver.told("payment.success", payment_id))[0]
    assert hook.signed_with(SECRET)
    assert not hook.signed_with("whsec_another")
    event = hook.event
    assert event["event"] == "payment.success"
    assert type(event["timestamp"]) is int
    assert event["timestamp"] > 1_600_000_000
    payment = event["data"]["payment"]
    assert payment.keys() >= ROW
    assert (payment["id"], payment["status"], payment["amount"]) == (payment_id, "success", 50000)
    assert hook.headers["content-type"].startswith("application/json")


async def test_failure_is_told_with_the_seeds_error(shop: Shop) -> None:
    payment_id = (await shop.client.create(vpa="failure@upi")).json()["id"]
    event = (await shop.receiver.told("payment.failed", payment_id))[0].event
    payment = event["data"]["payment"]
    assert (payment["status"], payment["error_code"]) == ("failed", "PAYMENT_FAILED")
    assert payment["error_description"] == "Bank rejected transaction"


async def test_a_refund_is_told_when_it_is_processed(shop: Shop) -> None:
    refund = (await shop.client.refund(await shop.client.paid())).json()
    hook = (await shop.receiver.told("refund.processed", refund["id"]))[0]
    assert hook.signed_with(SECRET)
    told = hook.event["data"]["refund"]
    assert told.keys() >= REFUND | {"processed_at"}
    assert (told["id"], told["status"], told["amount"]) == (refund["id"], "processed", 50000)


async def test_nothing_but_the_seeds_three_events_is_told(shop: Shop) -> None:
    payment_id = await shop.client.paid()
    refund = (await shop.client.refund(payment_id)).json()
    await shop.receiver.told("refund.processed", refund["id"])
    await shop.receiver.told("payment.success", payment_id)
    told = [hook.event["event"] for hook in shop.receiver.about(payment_id)]
    assert sorted(told) == ["payment.success", "refund.processed"]


async def test_a_refused_webhook_comes_again_after_five_seconds_with_its_bytes(shop: Shop) -> None:
    """WEBHOOK_RETRY_INTERVALS_TEST, as the seed's compose file sets it."""
    shop.receiver.refuse["order_refused"] = 1
    payment_id = await shop.client.paid(order_id="order_refused")

    async def refused() -> list[dict[str, Any]]:
        return [row for row in await shop.client.logs(payment_id) if row["attempts"]]

    [row] = await until(refused, "a failed attempt in the log")
    assert (row["status"], row["attempts"], row["response_code"]) == ("pending", 1, 500)
    last, following = (datetime.fromisoformat(row[n]) for n in ("last_attempt_at", "next_retry_at"))
    assert 4 < (following - last).total_seconds() < 8
    first, second = await shop.receiver.told("payment.success", payment_id, times=2)
    assert first.body == second.body

    async def green() -> list[dict[str, Any]]:
        return [row for row in await shop.client.logs(payment_id) if row["status"] == "success"]

    [row] = await until(green, "a successful attempt in the log")
    assert (row["attempts"], row["response_code"], row["next_retry_at"]) == (2, 200, None)


# What the seed's README claims and its code does not do (01 §1.2)


async def test_fifty_creates_with_one_key_are_one_payment(shop: Shop) -> None:
    """Row 1."""
    body = {"key": "seed-fifty", "order_id": "order_fifty"}
    answers = await asyncio.gather(*(shop.client.create(**body) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    listed = (await shop.client.get("/payments", limit=100)).json()["data"]
    assert len([p for p in listed if p["order_id"] == "order_fifty"]) <= 1


async def test_one_key_with_another_body_is_refused(shop: Shop) -> None:
    """Row 2."""
    order = {"key": "seed-other", "order_id": "order_other"}
    assert (await shop.client.create(amount=100, **order)).status_code == 201
    answer = await shop.client.create(amount=200, **order)
    assert answer.status_code == 422
    assert answer.json()["error"]


async def test_one_key_is_one_refund(shop: Shop) -> None:
    """Row 3: the seed knows keys for creates only."""
    payment_id = await shop.client.paid()
    ask = [shop.client.refund(payment_id, 1000, key="seed-refund") for _ in range(20)]
    answers = await asyncio.gather(*ask)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    other = await shop.client.refund(payment_id, 2000, key="seed-refund")
    assert other.status_code == 422


async def test_a_receiver_that_is_away_costs_an_attempt_not_a_storm(shop: Shop) -> None:
    """Row 7: the seed tried 26,521 times in 75 s and counted none."""
    await shop.client.settings(webhookUrl=f"http://127.0.0.1:{free_port()}/away")
    try:
        payment_id = await shop.client.paid()

        async def tried() -> list[dict[str, Any]]:
            return [row for row in await shop.client.logs(payment_id) if row["attempts"]]

        [row] = await until(tried, "a failed attempt in the log")
        assert (row["attempts"], row["status"], row["response_code"]) == (1, "pending", None)
        assert row["next_retry_at"] > row["last_attempt_at"]
    finally:
        await shop.client.settings(webhookUrl=shop.receiver.url)


async def test_an_event_without_a_receiver_is_not_lost(shop: Shop, ours: Running) -> None:
    """Row 8: the stranger has no webhook URL; what happened can be read all the same."""
    del ours
    payment_id = await shop.stranger.paid()
    events = (await shop.stranger.get("/events", limit=100)).json()["data"]
    told = [event["event"] for event in events if payment_id in json.dumps(event)]
    assert "payment.success" in told


async def test_a_webhook_has_an_id_and_a_time_so_that_repeats_are_seen(shop: Shop) -> None:
    """Row 9."""
    payments = [await shop.client.paid(), await shop.client.paid()]
    first, second = [(await shop.receiver.told("payment.success", one))[0] for one in payments]
    assert first.headers["webhook-id"] != second.headers["webhook-id"]
    assert int(first.headers["webhook-timestamp"]) > 1_600_000_000
    assert first.headers["webhook-signature"].startswith("v1,")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Api-Key": CREDENTIALS["X-Api-Key"]},
        {**CREDENTIALS, "X-Api-Secret": "wrong"},
        {**CREDENTIALS, "X-Api-Key": "key_wrong"},
    ],
)
async def test_nobody_is_let_in_without_both_halves_of_a_key(
    shop: Shop, headers: dict[str, str]
) -> None:
    """Row 10."""
    async with httpx.AsyncClient(base_url=shop.url, headers=headers) as nobody:
        answers = [
            await nobody.post(f"{API}/payments", json={}),
            await nobody.post(f"{API}/payments/pay_1/capture", json={}),
            await nobody.post(f"{API}/payments/pay_1/refunds", json={}),
            await nobody.get(f"{API}/refunds/rfnd_1"),
            await nobody.get(f"{API}/webhooks"),
            await nobody.post(f"{API}/webhooks/1/retry"),
            await nobody.put(f"{API}/webhooks/settings", json={}),
        ]
    assert {answer.status_code for answer in answers} == {401}
    assert all(answer.json()["error"]["code"] == "AUTHENTICATION_ERROR" for answer in answers)


async def test_another_merchant_sees_and_moves_nothing(shop: Shop, ours: Running) -> None:
    """Row 11."""
    del ours
    payment_id = await shop.client.paid()
    refund_id = (await shop.client.refund(payment_id, 1)).json()["id"]
    await shop.receiver.told("payment.success", payment_id)
    rows = await until(lambda: shop.client.logs(payment_id), "a row of the log")
    strange = shop.stranger
    answers = [
        await strange.get(f"/payments/{payment_id}"),
        await strange.get(f"/refunds/{refund_id}"),
        await strange.capture(payment_id),
        await strange.refund(payment_id, 1),
        await strange.retry(rows[0]["id"]),
    ]
    assert [answer.status_code for answer in answers] == [404] * 5
    assert (await strange.logs(payment_id)) == []


async def test_fifty_full_refunds_are_one(shop: Shop) -> None:
    """Row 12: the seed accepted 49."""
    payment_id = await shop.client.paid()
    answers = await asyncio.gather(*(shop.client.refund(payment_id) for _ in range(50)))
    codes = [answer.status_code for answer in answers]
    assert (codes.count(201), codes.count(400)) == (1, 49)


@pytest.mark.parametrize("amount", [-100000, 0, "1", 0.5, True, None])
async def test_a_refund_of_nonsense_is_refused_and_raises_nothing(shop: Shop, amount: Any) -> None:
    """Row 12."""
    payment_id = await shop.client.paid()
    assert (await shop.client.refund(payment_id, amount)).status_code == 400
    assert (await shop.client.refund(payment_id, 50001)).status_code == 400
    assert (await shop.client.refund(payment_id, 50000)).status_code == 201


@pytest.mark.parametrize(
    "change",
    [
        {"amount": -50000},
        {"method": "banana"},
        {"currency": "ZZZ"},
        {"order_id": None},
        {"amount": "abc"},
    ],
)
async def test_nonsense_is_400_not_201_or_500(shop: Shop, change: dict[str, Any]) -> None:
    """Row 13."""
    assert (await shop.client.create(**change)).status_code == 400


async def test_a_big_amount_is_taken_and_a_bad_page_or_body_is_json_400(shop: Shop) -> None:
    """Row 13: the seed answered 500, 500 and HTML."""
    assert (await shop.client.create(amount=3_000_000_000)).status_code == 201
    for query in ({"limit": "abc"}, {"offset": "-1"}):
        assert (await shop.client.get("/webhooks", **query)).status_code == 400
    headers = {"Content-Type": "application/json"}
    answer = await shop.client.http.post(f"{API}/payments", content=b"{", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]


async def test_a_capture_of_another_amount_is_refused(shop: Shop) -> None:
    """Row 14."""
    payment_id = await shop.client.paid()
    assert (await shop.client.capture(payment_id, 49999)).status_code == 400
    assert (await shop.client.capture(payment_id, -1)).status_code == 400


async def test_what_is_not_captured_cannot_be_refunded(shop: Shop) -> None:
    """Row 14."""
    payment_id = (await shop.client.create(capture_method="manual")).json()["id"]

    async def authorized() -> bool:
        payment = (await shop.client.get(f"/payments/{payment_id}")).json()
        return bool(payment["state"] == "authorized")

    await until(authorized, "an authorized payment")
    assert (await shop.client.refund(payment_id, 1)).status_code == 400
    assert (await shop.client.capture(payment_id)).status_code == 200

    async def captured() -> bool:
        payment = (await shop.client.get(f"/payments/{payment_id}")).json()
        return bool(payment["captured"])

    await until(captured, "a captured payment")
    assert (await shop.client.refund(payment_id, 1)).status_code == 201


async def test_payments_can_be_looked_up_and_listed(shop: Shop) -> None:
    """Row 15, and what 01 §1.1 misses."""
    payment_id = await shop.client.paid()
    assert (await shop.client.get(f"/payments/{payment_id}")).json()["id"] == payment_id
    listed = (await shop.client.get("/payments", limit=3)).json()["data"]
    assert payment_id in [payment["id"] for payment in listed]


async def test_settings_that_are_left_out_stay_as_they_are(shop: Shop) -> None:
    """Row 18: the seed wiped the secret, and showed it in the list."""
    assert (await shop.client.settings(webhookUrl=shop.receiver.url)).status_code == 200
    hook = (await shop.receiver.told("payment.success", await shop.client.paid()))[0]
    assert hook.signed_with(SECRET)
    config = (await shop.client.get("/webhooks")).json()["config"]
    assert config["webhook_secret"]
    assert config["webhook_secret"] != SECRET
    back = {"webhookUrl": shop.receiver.url, "webhookSecret": config["webhook_secret"]}
    assert (await shop.client.settings(**back)).status_code == 200
    hook = (await shop.receiver.told("payment.success", await shop.client.paid()))[0]
    assert hook.signed_with(SECRET)


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "http://10.0.0.1/", "file:///etc/passwd", "nonsense"]
)
async def test_webhooks_go_to_no_forbidden_place(shop: Shop, url: str) -> None:
    """Row 18."""
    answer = await shop.client.settings(webhookUrl=url)
    assert answer.status_code in (400, 422)
    assert (await shop.client.get("/webhooks")).json()["config"]["webhook_url"] == shop.receiver.url


async def test_twenty_payments_at_once_end_soon_and_each_is_told_once(shop: Shop) -> None:
    """Rows 4, 6 and 19: none stays pending, none has two ends."""
    created = await asyncio.gather(*(shop.client.create() for _ in range(20)))
    payments = [answer.json()["id"] for answer in created]
    await asyncio.gather(*(shop.client.ended(payment_id) for payment_id in payments))
    for payment_id in payments:
        await shop.receiver.told(payment_id)
        told = {hook.event["event"] for hook in shop.receiver.about(payment_id)}
        assert told == {"payment.success"}


async def test_the_bank_can_be_told_to_refuse(shop: Shop, ours: Running) -> None:
    """TEST_PAYMENT_SUCCESS=false. The last test, since it starts the bank's worker afresh."""
    await ours.replace("acquire", TEST_PAYMENT_SUCCESS="false")
    payment_id = (await shop.client.create()).json()["id"]
    ended = await shop.client.ended(payment_id)
    assert (ended["status"], ended["error_code"]) == ("failed", "PAYMENT_FAILED")
    await shop.receiver.told("payment.failed", payment_id)
