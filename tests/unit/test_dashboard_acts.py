"""The form of a capture, refund or cancel: which key it carries after each answer (01 §7.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from headgate.dashboard.payment_acts import _ALL, DECIDED, Form
from headgate.http.problems import kind_of
from headgate.http.problems_of_payments import Refused
from tests.unit.dashboard_place import OLGA, a_place

KEY = "dash_" + "k" * 22
OTHERS = {
    "refund_not_cancelable",
    "payment_not_incrementable",
    "payment_not_awaiting_action",
    "child_not_in_review",
    "not_in_doubt",
    "too_many_inquiries",
}
"""What is decided only about other commands than these forms send."""
ROW: Any = {
    "id": "pay_1", "merchant_id": "mer_1", "merchant": "Shop", "order_id": "o", "mode": "test",
    "currency": "INR", "amount": 500,
}  # fmt: skip


async def pressed(
    status: int, document: Mapping[str, str], amount: str = "4.00"
) -> tuple[str, str, list[str]]:
    """The page after a press that the edge answers so, its key, and the keys that the edge got."""
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["idempotency-key"])
        return httpx.Response(status, json=document)

    async with a_place(answer) as place:
        form = Form(place, OLGA, ROW, _ALL["refund"])
        page = bytes((await form.send({"key": KEY, "amount": amount})).body).decode()
    return page, re.findall(r'name="key" value="([^"]+)"', page)[0], sent


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (409, "idempotency_key_in_use"),
        (422, "idempotency_key_reused"),
        (429, "rate_limited"),
        (503, "outcome_unknown"),
        (503, ""),
        (500, "internal_error"),
        (400, "parameter_invalid"),
        (401, "unauthorized"),
    ],
)
async def test_a_key_stays_while_its_first_sending_may_move_money(status: int, code: str) -> None:
    _, key, sent = await pressed(status, {"code": code, "detail": "why"})
    assert (key, sent) == (KEY, [KEY])


@pytest.mark.parametrize("code", sorted(DECIDED))
async def test_a_key_that_was_decided_under_gives_way_to_a_fresh_one(code: str) -> None:
    _, key, sent = await pressed(400, {"code": code, "detail": "why"})
    assert key.startswith("dash_")
    assert (key != KEY, sent) == (True, [KEY])


async def test_a_typing_error_keeps_the_key_which_may_be_in_doubt() -> None:
    page, key, sent = await pressed(200, {}, amount="4,00")
    assert ("such as 12.00" in page, key, sent) == (True, KEY, [])


async def test_what_was_sent_before_with_another_amount_is_to_be_looked_at_first() -> None:
    page, _, _ = await pressed(422, {"code": "idempotency_key_reused", "detail": "a new key"})
    assert "may have moved the money. Look at the payment" in page
    assert 'href="/dashboard/payments/pay_1/refund" data-testid="fresh-form"' in page
    assert "a new key" not in page
    assert "fresh-form" not in (await pressed(400, {"code": "rate_limited"}))[0]


def test_what_is_decided_about_these_commands_is_known() -> None:
    for code in DECIDED | OTHERS:
        kind = kind_of(code)
        assert kind is not None, code
        assert issubclass(kind, Refused), code
    assert {kind.code for kind in Refused.__subclasses__()} == DECIDED | OTHERS
