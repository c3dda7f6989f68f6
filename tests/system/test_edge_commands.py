"""Captures, cancels and refunds are answered with their decision: once per key, the same bytes for
every repeat, and exactly one of many wins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from headgate.embedded.stack import Stack
from headgate.streams import ids
from headgate.streams.clock import now_ms
from headgate.tables.acting import mint
from headgate.tables.merchants import DEMO_EMAIL, DEMO_KEY
from tests.system.harness_edge import PAYMENTS, forget, other_merchant, running_edge
from tests.system.harness_paying import Payer, problem
from tests.system.harness_place import until
from tests.system.harness_running import Running, running_system

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes of this module write."""
    return tmp_path_factory.mktemp("commands")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(stack: Stack, logs: Path) -> AsyncIterator[Running]:
    """Everything, for the whole module."""
    async with running_system(stack, logs) as everything:
        yield everything


@pytest.fixture
def payer(running: Running) -> Payer:
    """The demo merchant."""
    return Payer(running.edge)


async def test_a_refund_is_answered_with_its_decision_08_r16(payer: Payer) -> None:
    payment_id = await payer.paid()
    answer = await payer.refund(payment_id, 200, "refund-1")
    assert answer.status_code == 201, answer.text
    refund = answer.json()
    assert refund["id"].startswith("rfnd_")
    assert (refund["object"], refund["payment_id"]) == ("refund", payment_id)
    assert (refund["amount"], refund["status"]) == (200, "pending")
    assert "payments.commands/" in answer.headers["Log-Position"]
    assert answer.headers["Idempotency-Key"] == "refund-1"
    assert "Idempotent-Replayed" not in answer.headers
    again = await payer.refund(payment_id, 200, "refund-1")
    assert (again.status_code, again.content) == (201, answer.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Original-Request-Id"] == answer.headers["Request-Id"]
    assert again.headers["Log-Position"] == answer.headers["Log-Position"]


async def test_who_acts_through_the_dashboard_is_named_by_facts_and_audit(
    payer: Payer, running: Running
) -> None:
    payment_id = await payer.paid()
    [merchant] = await running.place.rows("select id from merchants where email = $1", DEMO_EMAIL)
    scopes = ["refunds:write", "webhooks:write"]
    secret_key = running.place.settings.secret_key
    token = mint(secret_key, "operator:opr_1", merchant["id"], "test", scopes, now_ms())
    bearer = {"Authorization": f"Bearer {token}"}
    answer = await payer.refund(payment_id, 200, **bearer)
    assert answer.status_code == 201, answer.text
    timeline = (await running.edge.get(f"{PAYMENTS}/{payment_id}/timeline")).json()["data"]
    by = {entry["actor"] for entry in timeline if entry["command"]["type"] == "payment.refund"}
    assert by == {"operator:opr_1"}
    hook = {"url": "https://shop.example/hooks", "event_types": ["*"]}
    url = "/api/v1/webhook_endpoints"
    made = await running.edge.client.post(url, json=hook, headers=bearer)
    assert made.status_code == 201, made.text
    sql = "select actor from audit where subject = $1"
    assert [row["actor"] for row in await running.place.rows(sql, made.json()["id"])] == [
        "operator:opr_1"
    ]


async def test_a_refusal_is_repeated_byte_for_byte_also_when_redis_forgot(
    payer: Payer, running: Running
) -> None:
    """01 §7.4: state errors are recorded; I12."""
    payment_id = await payer.paid()
    first = await payer.refund(payment_id, 501, "too-much")
    assert problem(first) == (400, "refund_exceeds_refundable")
    assert first.headers["Should-Retry"] == "false"
    assert first.json()["error"]["description"] == "Refund amount exceeds available amount"
    again = await payer.refund(payment_id, 501, "too-much")
    assert (again.status_code, again.content) == (400, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    await forget(running.place)
    late = await payer.refund(payment_id, 501, "too-much")
    assert (late.status_code, late.content) == (400, first.content)
    assert late.headers["Original-Request-Id"] == first.headers["Request-Id"]


async def test_one_key_is_one_request_on_all_routes(payer: Payer, running: Running) -> None:
    """01 §7.4: scope is merchant and mode, also when only PostgreSQL remembers."""
    payment_id, other_id = await payer.paid(), await payer.paid()
    first = await payer.refund(payment_id, 100, "one-key")
    assert first.status_code == 201
    for forgets in (False, True):
        if forgets:
            await forget(running.place)
        reused = [
            await payer.refund(payment_id, 101, "one-key"),
            await payer.refund(other_id, 100, "one-key"),
            await payer.ask(payment_id, "capture", None, "one-key"),
            await payer.ask(payment_id, "reversals", {}, "one-key"),
            await payer.create("one-key"),
        ]
        assert {problem(answer) for answer in reused} == {(422, "idempotency_key_reused")}
        assert {answer.headers["Idempotency-Key"] for answer in reused} == {"one-key"}
        assert (await payer.refund(payment_id, 100, "one-key")).content == first.content
    created = await payer.create("made-with")
    reused_by_refund = await payer.refund(payment_id, 1, "made-with")
    assert created.status_code == 201
    assert problem(reused_by_refund) == (422, "idempotency_key_reused")


async def test_a_payment_is_not_shown_by_a_key_that_refunded(payer: Payer) -> None:
    """Claims are named by key: the one of a refund is no payment's."""
    payment_id = await payer.paid()
    assert (await payer.refund(payment_id, 1, "no-payment")).status_code == 201
    merchant_id = (await payer.shown(payment_id))["merchant_id"]
    named_alike = ids.payment_id(merchant_id, "test", "no-payment")
    assert problem(await payer.edge.get(f"{PAYMENTS}/{named_alike}")) == (404, "resource_missing")
    assert problem(await payer.refund(named_alike, 1)) == (404, "resource_missing")


async def test_of_fifty_refunds_with_one_key_one_wins(payer: Payer, running: Running) -> None:
    payment_id = await payer.paid()
    answers = await asyncio.gather(*(payer.refund(payment_id, None, "fifty") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    replayed = [answer.headers.get("Idempotent-Replayed") for answer in answers]
    assert replayed.count("true") == 49
    count = "select count(*) from payment_children where payment_id = $1"
    assert await running.place.number(count, payment_id) == 1


async def test_of_fifty_full_refunds_one_wins(payer: Payer, running: Running) -> None:
    """G10, over two edges."""
    payment_id = await payer.paid()
    async with running_edge(running.place, running.edge.log.parent) as second:
        payers = (payer, Payer(second))
        answers = await asyncio.gather(
            *(payers[n % 2].refund(payment_id, None, f"full-{n}") for n in range(50))
        )
    await _one_wins(answers, 201, "refund_exceeds_refundable")
    shown = await payer.shown(payment_id)
    assert shown["amount_refunded"] + shown["amount_refund_pending"] == 500


async def test_of_fifty_full_captures_one_wins(payer: Payer) -> None:
    payment_id = await payer.paid(capture_method="manual")
    answers = await asyncio.gather(
        *(
            payer.ask(payment_id, "capture", {"amount": 300, "final": False}, f"capture-{n}")
            for n in range(50)
        )
    )
    await _one_wins(answers, 200, "capture_exceeds_authorized")
    shown = await payer.shown(payment_id)
    assert shown["amount_captured"] + shown["amount_capture_pending"] == 300


async def _one_wins(answers: list[httpx.Response], status: int, code: str) -> None:
    won = [answer for answer in answers if answer.status_code == status]
    assert len(won) == 1, [answer.status_code for answer in answers]
    assert {problem(answer) for answer in answers if answer is not won[0]} == {(400, code)}


async def test_a_manual_payment_is_captured_in_part_and_the_rest_canceled(payer: Payer) -> None:
    payment_id = await payer.paid(capture_method="manual")
    held = await payer.ask(payment_id, "increment", {"amount": 100})
    assert (held.status_code, held.json()["increment"]["amount"]) == (200, 100)
    captured = await payer.ask(payment_id, "capture", {"amount": 200, "final": False})
    assert (captured.status_code, captured.json()["capture"]["amount"]) == (200, 200)

    async def one_capture() -> bool:
        return bool((await payer.shown(payment_id))["amount_captured"] == 200)

    await until(one_capture, 20, "the capture succeeds")
    canceled = await payer.ask(payment_id, "void", {"reason": "out of stock"})
    assert canceled.status_code == 200
    assert canceled.json()["void"]["reason"] == "out of stock"
    same = await payer.ask(payment_id, "reversals")
    assert same.status_code == 200
    assert same.json()["refund"]["amount"] == 200


async def test_capture_of_a_captured_payment_is_the_seeds_200(payer: Payer) -> None:
    payment_id = await payer.paid()
    for body in ({"amount": 500}, {}, None):
        answer = await payer.ask(payment_id, "capture", body)
        assert (answer.status_code, answer.json()["captured"]) == (200, True)
    other = await payer.ask(payment_id, "capture", {"amount": 499})
    assert problem(other) == (400, "payment_already_captured")


async def test_a_refund_can_be_planned_and_canceled_before_its_time(payer: Payer) -> None:
    payment_id = await payer.paid()
    body = {"full": True, "submit_at": "2099-01-01T00:00:00Z"}
    assert problem(await payer.ask(payment_id, "refunds", body)) == (400, "parameter_invalid")
    soon = (await payer.shown(payment_id))["created_at"].replace("2026", "2027")
    planned = await payer.ask(payment_id, "refunds", {"full": True, "submit_at": soon})
    assert (planned.status_code, planned.json()["state"]) == (201, "requested"), planned.text
    url = f"/api/v1/refunds/{planned.json()['id']}/cancel"
    canceled = await payer.edge.client.post(url)
    assert (canceled.status_code, canceled.json()["status"]) == (200, "canceled")
    assert problem(await payer.edge.client.post(url)) == (400, "refund_not_cancelable")
    unknown = "/api/v1/refunds/rfnd_aaaaaaaaaaaaaaaa/cancel"
    assert problem(await payer.edge.client.post(unknown)) == (404, "resource_missing")


async def test_a_create_may_be_waited_for(payer: Payer) -> None:
    """`Prefer: wait=n`: 201 at the end, 402 when it failed; the key's answer stays the first."""
    final = await payer.create("waited", wait_s=20)
    assert (final.status_code, final.json()["status"]) == (201, "success")
    assert final.headers["Preference-Applied"] == "wait=20"
    stored = await payer.create("waited")
    assert (stored.status_code, stored.json()["status"]) == (201, "pending")
    assert stored.headers["Idempotent-Replayed"] == "true"
    declined = await payer.create("refused", wait_s=20, vpa="failure@upi")
    assert problem(declined) == (402, "payment_declined")
    assert declined.json()["decline_code"]
    assert declined.json()["error"]["code"] == "PAYMENT_FAILED"
    assert declined.headers["Idempotency-Key"] == "refused"
    assert (await payer.create("refused", vpa="failure@upi")).status_code == 201


async def test_a_key_tells_what_it_was_used_for(payer: Payer, running: Running) -> None:
    payment_id = await payer.paid()
    refund = await payer.refund(payment_id, 5, "looked/up key")
    for forgets in (False, True):
        if forgets:
            await forget(running.place)
        shown = (await payer.edge.get("/api/v1/idempotency_keys/looked%2Fup%20key")).json()
        assert (shown["state"], shown["status_code"]) == ("completed", 201)
        assert (shown["resource_type"], shown["resource_id"]) == ("refund", refund.json()["id"])
        assert shown["request_id"] == refund.headers["Request-Id"]
        assert shown["operation_type"] == "payment.refund"
        assert shown["created_at"]
        assert "fingerprint" not in shown
        operation = (await payer.edge.get(f"/api/v1/operations/{shown['operation_id']}")).json()
        assert (operation["status"], operation["result"]) == ("succeeded", refund.json())
    never = await payer.edge.get("/api/v1/idempotency_keys/never")
    assert problem(never) == (404, "resource_missing")


@pytest.mark.parametrize(
    ("what", "body", "code"),
    [
        ("capture", {"amount": -1}, "parameter_invalid"),
        ("capture", {"amount": "100"}, "parameter_invalid"),
        ("capture", {"amount": 1.5}, "parameter_invalid"),
        ("capture", {"amount": True}, "parameter_invalid"),
        ("capture", {"amount": 0}, "parameter_invalid"),
        ("capture", {"amount": 10**13}, "amount_too_large"),
        ("capture", {"final": "yes"}, "parameter_invalid"),
        ("refunds", {"amount": -500}, "parameter_invalid"),
        ("refunds", {"amount": "1"}, "parameter_invalid"),
        ("refunds", {"amount": 0.5}, "parameter_invalid"),
        ("refunds", {"amount": True}, "parameter_invalid"),
        ("refunds", {"amount": 0}, "parameter_invalid"),
        ("refunds", {"amount": 5, "full": True}, "parameter_invalid"),
        ("refunds", {"full": False}, "parameter_invalid"),
        ("refunds", {}, "parameter_missing"),
        ("refunds", {"reason": "none"}, "parameter_missing"),
        ("refunds", {"amount": 501}, "refund_exceeds_refundable"),
        ("cancel", {}, "payment_not_cancelable"),
        ("increment", {"amount": 5}, "payment_not_incrementable"),
        ("increment", {}, "parameter_missing"),
        ("simulate", {"event": "authentication.succeeded"}, "payment_not_awaiting_action"),
        ("simulate", {"event": "nonsense"}, "parameter_invalid"),
    ],
)
async def test_bad_commands_are_400_as_the_catalogue_says(
    payer: Payer, paid_id: str, what: str, body: dict[str, Any], code: str
) -> None:
    """07 §8."""
    assert problem(await payer.ask(paid_id, what, body)) == (400, code)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def paid_id(running: Running) -> str:
    """A captured payment that nothing changes."""
    return await Payer(running.edge).paid()


async def test_without_body_amount_or_key(payer: Payer, paid_id: str) -> None:
    """08 R19."""
    missing = await payer.ask(paid_id, "refunds", {})
    assert missing.json()["error"] == "Missing required fields"
    assert problem(await payer.ask(paid_id, "refunds")) == (415, "unsupported_media_type")
    keyless = await payer.refund(await payer.paid(), 1)
    assert keyless.status_code == 201
    assert "Idempotency-Key" in keyless.headers["Warning"]
    assert keyless.headers["Idempotency-Key"]
    assert "Warning" not in (await payer.refund(await payer.paid(), 1, "k-warn")).headers


async def test_what_is_not_there_is_the_seeds_404(
    payer: Payer, paid_id: str, running: Running
) -> None:
    for missing in ("pay_aaaaaaaaaaaaaaa", "pay_nonsense", "x"):
        answer = await payer.ask(missing, "capture", {})
        assert problem(answer) == (404, "resource_missing")
        assert answer.json()["error"] == "Payment not found"
    theirs = await other_merchant(running.place)
    async with httpx.AsyncClient(base_url=payer.edge.client.base_url, headers=theirs) as client:
        answer = await client.post(f"{PAYMENTS}/{paid_id}/refunds", json={"amount": 1})
    assert problem(answer) == (404, "resource_missing")


async def test_only_operators_resolve_08_r23(payer: Payer, paid_id: str, running: Running) -> None:
    body = {"child_id": "rfnd_aaaaaaaaaaaaaaaa", "outcome": "succeeded", "evidence": "a letter"}
    assert problem(await payer.ask(paid_id, "resolve", body)) == (403, "permission_denied")
    rows = await running.place.rows(
        "select actor from operations where type = 'payment.create' and payment_id = $1", paid_id
    )
    assert [row["actor"] for row in rows] == [DEMO_KEY]


async def test_a_late_approval_can_be_simulated(payer: Payer) -> None:
    """02 row 15: approved after it had failed; the money goes back."""
    declined = await payer.create(wait_s=20, vpa="failure@upi")
    payment_id = declined.json()["payment_id"]
    answer = await payer.ask(payment_id, "simulate", {"event": "late_success"}, "late")
    assert answer.status_code == 202
    location = answer.headers["Location"]

    async def decided() -> bool:
        return bool((await payer.edge.get(location)).json()["status"] == "succeeded")

    await until(decided, 20, "the late approval is decided")
    again = await payer.ask(payment_id, "simulate", {"event": "late_success"}, "late")
    assert (again.status_code, again.headers["Location"]) == (202, location)
