"""The bad-input catalogue of 07 §8 on captures, voids, refunds and the rest, all of Headgate
running: JSON always, a 500 or HTML never, and no money moves by mistake."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import pytest_asyncio

from headgate.embedded.stack import Stack
from tests.contract.bad_input import JSON, PAN, check
from tests.system.harness_edge import PAYMENTS, other_merchant, running_edge, with_demo
from tests.system.harness_place import Place, opened, until
from tests.system.harness_running import running_system
from tests.system.harness_stored import places_of

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="module"),
]

ENDS_WITHIN_S = 30.0
COMMANDS = ("capture", "cancel", "void", "refunds", "reversals", "increment")
WITH_AMOUNT = ("capture", "cancel", "void", "refunds", "increment")
WITH_REASON = ("cancel", "void", "refunds", "reversals")
SEED_STRING = {"capture", "refunds"}
"""Routes of the seed, which says `Payment not found` in a string (08 R19)."""
NOT_CAPTURABLE = {"code": "BAD_REQUEST_ERROR", "description": "Payment not in capturable state"}
NOT_AVAILABLE = {
    "code": "BAD_REQUEST_ERROR",
    "description": "Refund amount exceeds available amount",
}


class Till:
    """A merchant's till: takes payments and asks things of them."""

    def __init__(self, place: Place, client: httpx.AsyncClient, stranger: dict[str, str]) -> None:
        """`stranger` are the credentials of another merchant."""
        self.place = place
        self.client = client
        self.stranger = stranger

    async def payment(self, state: str, **members: Any) -> str:
        """The id of a new payment of 50000 in this state."""
        body = {"amount": 50000, "order_id": "o", "method": "upi", "vpa": "success@upi", **members}
        if state == "authorized":
            body["capture_method"] = "manual"
        if state == "failed":
            body["vpa"] = "failure@upi"
        created = await self.client.post(PAYMENTS, json=body)
        payment_id = str(check(created, 201, None)["id"])
        await self.reached(payment_id, state=state)
        return payment_id

    async def reached(self, payment_id: str, **members: Any) -> None:
        """Wait until the payment has these members."""

        async def there() -> bool:
            told = (await self.client.get(f"{PAYMENTS}/{payment_id}")).json()
            return {name: told.get(name) for name in members} == members

        await until(there, ENDS_WITHIN_S, f"{payment_id} with {members}")

    async def ask(
        self, payment_id: str, command: str, *, key: str | None = None, **members: Any
    ) -> httpx.Response:
        """A command with these members."""
        headers = {} if key is None else {"Idempotency-Key": key}
        path = f"{PAYMENTS}/{payment_id}/{command}"
        return await self.client.post(path, json=members, headers=headers)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes of this module write."""
    return tmp_path_factory.mktemp("badinput")


def written(logs: Path) -> list[Path]:
    """What the processes have logged."""
    return list(logs.rglob("*.log"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def till(stack: Stack, logs: Path) -> AsyncIterator[Till]:
    """The demo merchant's till, with everything running behind it."""
    async with running_system(stack, logs) as running:
        yield Till(running.place, running.edge.client, await other_merchant(running.place))
        assert "fault in a request" not in running.edge.log.read_text()
    assert not [path for path in written(logs) if PAN in path.read_text()]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def authorized(till: Till) -> str:
    """A payment whose money is held, for what must change nothing about it."""
    return await till.payment("authorized")


# Bodies


class Sent(NamedTuple):
    """A body that is none, and what comes of it."""

    name: str
    body: bytes
    headers: dict[str, str]
    status: int
    code: str


BODIES = [
    Sent("{", b"{", JSON, 400, "json_malformed"),
    Sent("null", b"null", JSON, 400, "parameter_invalid"),
    Sent("[]", b"[]", JSON, 400, "parameter_invalid"),
    Sent("string", b'"str"', JSON, 400, "parameter_invalid"),
    Sent("NaN", b'{"amount": NaN}', JSON, 400, "json_malformed"),
    Sent("not UTF-8", b'{"reason": "\xff\xfe"}', JSON, 400, "json_malformed"),
    Sent("repeated name", b'{"amount": 1, "amount": 50000}', JSON, 400, "json_malformed"),
    Sent("depth 5000", b"[" * 5000 + b"]" * 5000, JSON, 400, "json_malformed"),
    Sent("200 kB", b'{"note": "%s"}' % (b"x" * 200_000), JSON, 413, "payload_too_large"),
    Sent("text/plain", b'{"amount": 1}', {"Content-Type": "text/plain"},
         415, "unsupported_media_type"),
    Sent("no content type", b'{"amount": 1}', {}, 415, "unsupported_media_type"),
    Sent("gzip", b'{"amount": 1}', {**JSON, "Content-Encoding": "gzip"},
         415, "unsupported_media_type"),
    Sent("key empty", b'{"amount": 1}', {**JSON, "Idempotency-Key": ""}, 400, "parameter_invalid"),
    Sent("key 300", b'{"amount": 1}', {**JSON, "Idempotency-Key": "k" * 300},
         400, "parameter_invalid"),
    Sent("key not ASCII", b'{"amount": 1}', {**JSON, "Idempotency-Key": "k\u00e9"},
         400, "parameter_invalid"),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("sent", BODIES, ids=lambda sent: sent.name)
async def test_a_body_that_is_none_is_refused_on_every_route(
    till: Till, authorized: str, command: str, sent: Sent
) -> None:
    raw = {name.encode(): value.encode("latin-1") for name, value in sent.headers.items()}
    path = f"{PAYMENTS}/{authorized}/{command}"
    check(await till.client.post(path, content=sent.body, headers=raw), sent.status, sent.code)


AMOUNTS: list[tuple[object, str]] = [
    (0, "parameter_invalid"),
    (-500, "parameter_invalid"),
    ("1", "parameter_invalid"),
    ("abc", "parameter_invalid"),
    (True, "parameter_invalid"),
    ([], "parameter_invalid"),
    ({"$gt": 0}, "parameter_invalid"),
    (0.5, "parameter_invalid"),
    (1e3, "parameter_invalid"),
    (int(PAN), "amount_too_large"),
    (10**12 + 1, "amount_too_large"),
    (2**63, "amount_too_large"),
    (10**400, "amount_too_large"),
]


@pytest.mark.parametrize("command", WITH_AMOUNT)
@pytest.mark.parametrize(("amount", "code"), AMOUNTS, ids=[repr(a)[:20] for a, _ in AMOUNTS])
async def test_an_amount_that_is_none_is_refused_on_every_route(
    till: Till, authorized: str, command: str, amount: object, code: str
) -> None:
    problem = check(await till.ask(authorized, command, amount=amount), 400, code)
    assert problem["param"] == "amount"


@pytest.mark.parametrize("command", WITH_REASON)
@pytest.mark.parametrize(
    "reason", [7, "x" * 300, "a\0b", "\ud800", "a\x1bb", f"card {PAN}", "4111-1111 1111-1111"]
)
async def test_a_reason_is_a_short_line_without_a_card_number(
    till: Till, authorized: str, command: str, reason: object
) -> None:
    body = {"reason": reason} | ({"amount": 1} if command == "refunds" else {})
    problem = check(
        await till.client.post(
            f"{PAYMENTS}/{authorized}/{command}", content=json.dumps(body), headers=JSON
        ),
        400,
        "parameter_invalid",
    )
    assert problem["param"] == "reason"
    assert "4111-1111" not in json.dumps(problem)


@pytest.mark.parametrize(
    ("command", "members", "code"),
    [
        ("refunds", {}, "parameter_missing"),
        ("refunds", {"amount": None}, "parameter_missing"),
        ("refunds", {"full": False}, "parameter_invalid"),
        ("refunds", {"full": True, "amount": 1}, "parameter_invalid"),
        ("refunds", {"amount": 1, "submit_at": "tomorrow"}, "parameter_invalid"),
        ("refunds", {"amount": 1, "submit_at": 17}, "parameter_invalid"),
        ("refunds", {"amount": 1, "submit_at": "9999-12-31T23:59:59Z"}, "parameter_invalid"),
        ("increment", {}, "parameter_missing"),
        ("capture", {"final": "yes"}, "parameter_invalid"),
        ("capture", {"final": 1}, "parameter_invalid"),
    ],
)
async def test_members_of_one_route_are_checked(
    till: Till, authorized: str, command: str, members: dict[str, Any], code: str
) -> None:
    check(await till.ask(authorized, command, **members), 400, code)


async def test_08_r19_a_refund_without_an_amount_has_the_seeds_string(
    till: Till, authorized: str
) -> None:
    problem = check(await till.ask(authorized, "refunds"), 400, "parameter_missing")
    assert problem["error"] == "Missing required fields"


async def test_after_all_that_the_payment_is_what_it_was(till: Till, authorized: str) -> None:
    payment = (await till.client.get(f"{PAYMENTS}/{authorized}")).json()
    assert payment["state"] == "authorized"
    assert (payment["amount_captured"], payment["amount_refunded"]) == (0, 0)


# Paths


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "payment_id",
    ["pay_aaaaaaaaaaaaaaa", "pay_NOT-AN-ID", "x" * 300, "..%2f..%2fetc", "%00", "%ff", PAN],
)
async def test_a_payment_that_is_none_is_404_on_every_route(
    till: Till, command: str, payment_id: str
) -> None:
    problem = check(await till.ask(payment_id, command, amount=1), 404, "resource_missing")
    if "%2f" not in payment_id:
        words = problem["error"]
        assert (words == "Payment not found") is (command in SEED_STRING), "08 R19"


@pytest.mark.parametrize("command", COMMANDS)
async def test_another_merchants_payment_is_404_on_every_route(
    till: Till, authorized: str, command: str
) -> None:
    """I17: the answer is that for a payment which does not exist."""
    path = f"{PAYMENTS}/{authorized}/{command}"
    answer = await till.client.post(path, json={"amount": 1}, headers=till.stranger)
    check(answer, 404, "resource_missing")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("method", ["DELETE", "PATCH", "PUT"])
async def test_another_method_is_405_on_every_route(
    till: Till, authorized: str, command: str, method: str
) -> None:
    answer = await till.client.request(method, f"{PAYMENTS}/{authorized}/{command}")
    check(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("command", COMMANDS)
async def test_without_a_key_every_route_is_401(till: Till, authorized: str, command: str) -> None:
    path = f"{PAYMENTS}/{authorized}/{command}"
    for given, code in (("", "api_key_invalid"), ("Bearer wrong", "api_key_invalid")):
        headers = {"Authorization": given}
        check(await till.client.post(path, json={"amount": 1}, headers=headers), 401, code)


@pytest.mark.parametrize(
    "refund_id", ["rfnd_aaaaaaaaaaaaaaaa", "rfnd_1", "pay_aaaaaaaaaaaaaaa", "%00", "x" * 300]
)
async def test_a_refund_that_is_none_is_404(till: Till, refund_id: str) -> None:
    answer = await till.client.post(f"/api/v1/refunds/{refund_id}/cancel", json={})
    check(answer, 404, "resource_missing")


async def test_only_an_operator_resolves(till: Till, authorized: str) -> None:
    body = {"child_id": "cap_x", "outcome": "succeeded", "evidence": "none"}
    check(await till.ask(authorized, "resolve", **body), 403, "permission_denied")
    check(await till.ask(authorized, "inquire", reason="none"), 403, "permission_denied")


# States


async def test_capture_again(till: Till) -> None:
    captured = await till.payment("captured")
    assert check(await till.ask(captured, "capture", amount=50000), 200, None)["captured"] is True
    check(await till.ask(captured, "capture"), 200, None)
    for amount in (1, 49999, 50001):
        answer = await till.ask(captured, "capture", amount=amount)
        problem = check(answer, 400, "payment_already_captured")
        assert problem["error"] == NOT_CAPTURABLE, "08 R19"


async def test_capture_after_a_refund(till: Till) -> None:
    refunded = await till.payment("captured")
    check(await till.ask(refunded, "refunds", amount=50000), 201, None)
    problem = check(await till.ask(refunded, "capture", amount=1), 400, "payment_already_captured")
    assert problem["error"] == NOT_CAPTURABLE


@pytest.mark.parametrize(
    ("command", "members", "code"),
    [
        ("capture", {}, "payment_not_capturable"),
        ("cancel", {}, "payment_not_cancelable"),
        ("void", {}, "payment_not_cancelable"),
        ("refunds", {"amount": 1}, "payment_not_refundable"),
        ("reversals", {}, "payment_not_cancelable"),
        ("increment", {"amount": 1}, "payment_not_incrementable"),
    ],
)
async def test_nothing_can_be_done_with_a_failed_payment(
    till: Till, command: str, members: dict[str, Any], code: str
) -> None:
    failed = await till.payment("failed")
    problem = check(await till.ask(failed, command, **members), 400, code)
    if command == "capture":
        assert problem["error"] == NOT_CAPTURABLE, "08 R19"


@pytest.mark.parametrize(
    ("command", "members", "code"),
    [
        ("capture", {"amount": 50001}, "capture_exceeds_authorized"),
        ("cancel", {"amount": 50001}, "void_exceeds_capturable"),
        ("refunds", {"amount": 1}, "payment_not_refundable"),
        ("refunds", {"full": True}, "payment_not_refundable"),
        ("increment", {"amount": 10**12}, "amount_too_large"),
    ],
)
async def test_nothing_beyond_what_is_held_can_be_done(
    till: Till, authorized: str, command: str, members: dict[str, Any], code: str
) -> None:
    check(await till.ask(authorized, command, **members), 400, code)


@pytest.mark.parametrize(
    ("command", "members", "code"),
    [
        ("cancel", {}, "payment_not_cancelable"),
        ("increment", {"amount": 1}, "payment_not_incrementable"),
        ("refunds", {"amount": 50001}, "refund_exceeds_refundable"),
    ],
)
async def test_a_captured_payment_is_only_refunded_and_within_its_amount(
    till: Till, command: str, members: dict[str, Any], code: str
) -> None:
    captured = await till.payment("captured")
    problem = check(await till.ask(captured, command, **members), 400, code)
    if command == "refunds":
        assert problem["error"] == NOT_AVAILABLE, "08 R19"


async def test_a_canceled_payment_can_not_be_captured(till: Till) -> None:
    canceled = await till.payment("authorized")
    check(await till.ask(canceled, "cancel"), 200, None)
    await till.reached(canceled, state="canceled")
    problem = check(await till.ask(canceled, "capture"), 400, "payment_not_capturable")
    assert problem["error"] == NOT_CAPTURABLE


async def test_a_refund_at_the_bank_can_not_be_canceled(till: Till) -> None:
    captured = await till.payment("captured")
    refund = check(await till.ask(captured, "refunds", amount=1), 201, None)
    answer = await till.client.post(f"/api/v1/refunds/{refund['id']}/cancel", json={})
    check(answer, 400, "refund_not_cancelable")


async def test_of_fifty_concurrent_full_refunds_one_is_taken(till: Till) -> None:
    captured = await till.payment("captured")
    answers = await asyncio.gather(
        *(till.ask(captured, "refunds", amount=50000) for _ in range(50))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 400: 49}
    for answer in answers:
        if answer.status_code != 201:
            check(answer, 400, "refund_exceeds_refundable")


# Keys


@pytest.mark.parametrize(
    ("command", "first", "second"),
    [
        ("capture", {"amount": 100}, {"amount": 101}),
        ("cancel", {"amount": 100}, {"amount": 101}),
        ("refunds", {"amount": 100}, {"amount": 101}),
        ("refunds", {"amount": 100}, {"amount": 100, "reason": "other"}),
    ],
)
async def test_a_key_with_another_body_is_422(
    till: Till, command: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    payment_id = await till.payment("captured" if command == "refunds" else "authorized")
    key = f"k-{secrets.token_hex(6)}"
    taken = await till.ask(payment_id, command, key=key, **first)
    assert taken.status_code in (200, 201), taken.text
    check(await till.ask(payment_id, command, key=key, **second), 422, "idempotency_key_reused")
    again = await till.ask(payment_id, command, key=key, **first)
    assert (again.status_code, again.content) == (taken.status_code, taken.content)
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_a_key_of_another_payment_or_route_is_422(till: Till, authorized: str) -> None:
    captured = await till.payment("captured")
    key = f"k-{secrets.token_hex(6)}"
    check(await till.ask(captured, "refunds", key=key, amount=100), 201, None)
    for payment_id, command in ((authorized, "refunds"), (captured, "capture")):
        answer = await till.ask(payment_id, command, key=key, amount=100)
        check(answer, 422, "idempotency_key_reused")


async def test_a_refusal_is_repeated_with_its_key(till: Till) -> None:
    captured = await till.payment("captured")
    key = f"k-{secrets.token_hex(6)}"
    first = await till.ask(captured, "refunds", key=key, amount=50001)
    check(first, 400, "refund_exceeds_refundable")
    again = await till.ask(captured, "refunds", key=key, amount=50001)
    check(again, 400, "refund_exceeds_refundable")
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_a_key_that_is_a_card_number_is_refused(till: Till) -> None:
    """A key goes to the log, where no card number may be."""
    body = {"amount": 100, "order_id": "o", "method": "upi"}
    for key in (PAN, "4111-1111-1111-1111", '"4111 1111 1111 1111"'):
        answer = await till.client.post(PAYMENTS, json=body, headers={"Idempotency-Key": key})
        problem = check(answer, 400, "parameter_invalid")
        assert problem["param"] == "Idempotency-Key"


@pytest.mark.asyncio(loop_scope="function")
async def test_a_key_whose_first_request_still_runs_is_409(
    own_stack: Stack, tmp_path: Path
) -> None:
    """07 §8: wait, then 409 with `Retry-After`; nothing is taken twice."""
    async with (
        opened(own_stack, HEADGATE_IN_FLIGHT_WAIT_MS="300") as place,
        running_edge(await with_demo(place), tmp_path) as edge,
    ):
        await edge.until_well("kafka", "redis", "postgres")
        own_stack.freeze("kafka")
        try:
            asked = [asyncio.create_task(edge.create("k1")) for _ in range(2)]
            done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        finally:
            own_stack.thaw("kafka")
        refused, taken = await done.pop(), await waiting.pop()
        problem = check(refused, 409, "idempotency_key_in_use")
        assert problem["retryable"] is True
        assert int(refused.headers["Retry-After"]) > 0
        assert refused.headers["Idempotency-Key"] == "k1"
        check(taken, 201, None)
        again = await edge.create("k1")
        assert (again.status_code, again.content) == (201, taken.content)


# Card numbers


async def test_no_card_number_is_stored_anywhere(till: Till, authorized: str) -> None:
    """I16: not on the log, not in PostgreSQL, not in Redis; our own logs are looked at last."""
    card = {"number": PAN, "expiry_month": 12, "expiry_year": 2034, "cvv": "737"}
    paid = await till.payment("captured", method="card", vpa=None, card=card)
    good = {"amount": 100, "order_id": "o", "method": "upi"}
    for change in (
        {"order_id": PAN},
        {"description": f"card {PAN}"},
        {"metadata": {"card": PAN}},
        {"metadata": {PAN: "card"}},
        {"vpa": f"{PAN}@upi"},
        {"amount": int(PAN)},
    ):
        answer = await till.client.post(PAYMENTS, json=good | change)
        assert answer.status_code == 400, change
        assert PAN not in answer.text
    check(await till.ask(authorized, "refunds", amount=1, reason=PAN), 400, "parameter_invalid")
    check(await till.client.get(f"{PAYMENTS}/{PAN}"), 404, "resource_missing")
    check(await till.client.get(f"{PAYMENTS}?limit={PAN}"), 400, "parameter_invalid")
    assert await places_of(paid, till.place), "the search finds what is there"
    assert await places_of(PAN, till.place) == []
