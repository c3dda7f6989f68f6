"""Every test value, played to its end in memory: settle, acquire, the bank, timers (01 §10)."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from headgate.streams.commands import (
    AuthenticatePayment,
    CapturePayment,
    RefundPayment,
)
from headgate.streams.plays import PLAYS, Scenario
from headgate.streams.scenarios import AMOUNTS, CARDS, VPAS, scenario_of
from headgate.tables.payment import Payment
from tests.unit.virtual_time import World

OPENING = ["created", "pending", "processing"]
PAID = ["authorized", "captured", "success"]
BACK = ["reversal.created", "reversal_sent", "reversal.succeeded"]
AMOUNT = 50_000


class End(NamedTuple):
    """How a payment of 500.00 with automatic capture ends when nobody interferes."""

    state: str
    facts: list[str]
    """Behind the opening ones."""
    captured: int = 0
    decline_code: str | None = None
    children: list[tuple[str, str]] = []  # noqa: RUF012  a constant
    looks: int = 0
    """How often the bank was asked what became of it."""


APPROVED = End("captured", PAID, AMOUNT)


def refused(code: str) -> End:
    return End("failed", ["failed"], decline_code=code)


ENDS: dict[Scenario, End] = {
    "approve": APPROVED,
    "decline": refused("do_not_honor"),
    "insufficient_funds": refused("insufficient_funds"),
    "lost_card": refused("lost_card"),
    "stolen_card": refused("stolen_card"),
    "expired_card": refused("expired_card"),
    "incorrect_cvc": refused("incorrect_cvc"),
    "processing_error": refused("issuer_unavailable"),
    "challenge": End("failed", ["requires_action", "failed"], decline_code="authentication_failed"),
    "instant_funds": APPROVED,
    "refund_returned": APPROVED,
    "refund_fails": APPROVED,
    "disputed": APPROVED,
    "dispute_inquiry": APPROVED,
    "timeout": End("captured", ["in_doubt", *PAID], AMOUNT, looks=3),
    "timeout_not_found": End("failed", ["in_doubt", "failed"], looks=1),
    "late_approval": End(
        "failed",
        ["in_doubt", "failed", "late_authorized", *BACK],
        children=[("reversal", "succeeded")],
        looks=1,
    ),
    "duplicate_callbacks": APPROVED,
    "partial_approval": End(
        "failed",
        ["failed", *BACK],
        decline_code="partial_approval",
        children=[("reversal", "succeeded")],
    ),
    "capture_fails_once": APPROVED,
    "settlement_discrepancy": APPROVED,
    "collect_rejected": End(
        "failed", ["requires_action", "failed"], decline_code="upi_collect_rejected", looks=1
    ),
    "collect_expired": End(
        "failed", ["requires_action", "failed"], decline_code="upi_collect_expired", looks=7
    ),
    "vpa_not_found": refused("vpa_not_found"),
}

VALUES: dict[str, dict[str, Any]] = {
    **{number: {"card_number": number, "vpa": None} for number in CARDS},
    **{vpa: {"card_number": None, "vpa": vpa} for vpa in VPAS},
    **{f"…{digits:02}": {"amount": AMOUNT + digits} for digits in AMOUNTS},
}
"""Every value by its name, and what a create with it says."""


def asked(said: dict[str, Any]) -> dict[str, Any]:
    """The create that the edge would make of it."""
    told = {"card_number": None, "vpa": "someone@bank", "amount": AMOUNT, **said}
    told["metadata"] = {"test_magic": "1"} if "amount" in said else {}
    method = "card" if told["card_number"] else "upi"
    scenario = scenario_of(**told)
    return {
        "scenario": scenario,
        "method": method,
        "vpa": told["vpa"],
        "amount": told["amount"],
        "metadata": told["metadata"],
    }


def card(number: str, **change: Any) -> dict[str, Any]:
    """A payment with this card."""
    return {**asked({"card_number": number, "vpa": None}), **change}


def children(payment: Payment) -> list[tuple[str, str]]:
    return [(child.kind, child.state) for child in payment.children]


def test_every_play_has_a_known_end_and_a_value_that_leads_to_it() -> None:
    assert set(ENDS) == set(PLAYS)
    assert {asked(said)["scenario"] for said in VALUES.values()} == set(PLAYS)


@pytest.mark.parametrize("how", ["plain", "twice", "crashing"])
@pytest.mark.parametrize("value", VALUES)
async def test_a_test_value_comes_to_its_end_08_r24(
    value: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when every record comes twice, and when acquire dies behind every call."""
    world = World(monkeypatch, twice=how == "twice", crashing=how == "crashing")
    said = asked(VALUES[value])
    payment = await world.pay(**said)
    end = ENDS[said["scenario"]]
    assert (payment.state, payment.decline_code) == (end.state, end.decline_code)
    assert world.words() == [*OPENING, *end.facts]
    assert payment.amount_captured == (said["amount"] if end.captured else 0)
    assert payment.amount_authorized == payment.amount_captured
    assert children(payment) == end.children
    assert sum(request.type == "inquire" for request in world.asked) == end.looks
    assert sum(request.type == "authorize" for request in world.asked) == 1


@pytest.mark.parametrize("how", ["plain", "twice", "crashing"])
async def test_three_d_secure_is_approved_once_the_customer_is_back_08_r24(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(monkeypatch, twice=how == "twice", crashing=how == "crashing")
    waiting = await world.pay(**card("4000003800000446"), within_ms=1000)
    assert waiting.state == "requires_action"
    paid = await world.ask(AuthenticatePayment, outcome="succeeded")
    assert (paid.state, paid.amount_captured) == ("captured", AMOUNT)
    assert world.words() == [*OPENING, "requires_action", "processing", *PAID]
    first, second = [one for one in world.asked if one.type == "authorize"]
    assert (first.authenticated, second.authenticated) == (False, True)
    assert first.attempt_id != second.attempt_id


async def test_a_customer_who_does_not_pass_does_not_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    await world.pay(**card("4000002500003155"), within_ms=1000)
    failed = await world.ask(AuthenticatePayment, outcome="failed")
    assert (failed.state, failed.decline_code) == ("failed", "authentication_failed")


async def test_a_processing_error_is_over_at_the_second_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    again = scenario_of(
        card_number="4000000000000119",
        vpa=None,
        amount=AMOUNT,
        metadata={"test_attempt": "2"},
    )
    assert (await World(monkeypatch).pay(scenario=again)).state == "captured"
    first = await World(monkeypatch).pay(**card("4000000000000119"))
    assert first.advice_code == "try_again_later"


@pytest.mark.parametrize("how", ["plain", "twice", "crashing"])
async def test_a_refund_is_returned_and_can_be_made_again(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(monkeypatch, twice=how == "twice", crashing=how == "crashing")
    await world.pay(**card("4000000000005126"))
    payment = await world.ask(RefundPayment, amount=20_000)
    assert children(payment) == [("refund", "failed")]
    assert (payment.amount_refunded, payment.refundable) == (0, AMOUNT)
    assert world.words()[-4:] == [
        "refund.created", "refund.submitted", "refund.processed", "refund.failed",
    ]  # fmt: skip
    assert world.refusals == []


async def test_a_refund_that_the_bank_refuses_gives_its_amount_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)
    await world.pay(**asked({"amount": AMOUNT + 4}))
    payment = await world.ask(RefundPayment)
    assert children(payment) == [("refund", "failed")]
    assert (payment.refundable, payment.children[0].decline_code) == (AMOUNT + 4, "do_not_honor")
    assert "refund.processed" not in world.words()


async def test_a_capture_fails_once_and_then_succeeds_08_r21(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)
    await world.pay(**card("4000000000010068", capture_method="manual"), within_ms=1000)
    held = await world.ask(CapturePayment, within_ms=1000)
    assert (held.state, held.capturable, children(held)) == (
        "authorized", AMOUNT, [("capture", "failed")],
    )  # fmt: skip
    payment = await world.ask(CapturePayment)
    assert (payment.state, payment.amount_captured) == ("captured", AMOUNT)
    assert children(payment) == [("capture", "failed"), ("capture", "succeeded")]
    captures = [request.ordinal for request in world.asked if request.type == "capture"]
    assert captures == [1, 2]


@pytest.mark.parametrize("how", ["plain", "twice", "crashing"])
async def test_a_late_approval_is_reversed_or_taken_as_the_merchant_wants_08_r22(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(monkeypatch, twice=how == "twice", crashing=how == "crashing")
    taken = await world.pay(**card("4000000000010035", late_authorization="accept"))
    assert (taken.state, taken.amount_captured) == ("captured", AMOUNT)
    assert world.words() == [*OPENING, "in_doubt", "failed", "late_authorized", *PAID]
    assert world.now_ms - taken.created_at_ms < 10_000


async def test_a_part_is_taken_when_the_merchant_takes_parts_08_r22(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    part = await World(monkeypatch).pay(**card("4000000000010050", partial_authorization=True))
    assert (part.state, part.amount_authorized, part.amount_captured) == (
        "captured", 30_000, 30_000,
    )  # fmt: skip


async def test_the_part_that_was_approved_is_what_is_reversed_08_r22(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)
    payment = await world.pay(**card("4000000000010050"))
    [reversal] = payment.children
    assert (reversal.kind, reversal.amount, payment.amount_refunded) == ("reversal", 30_000, 0)
    assert [one.amount for one in world.asked if one.type == "reversal"] == [30_000]


async def test_callbacks_come_before_the_answer_and_after_it_and_count_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """07 §6 row 33."""
    world = World(monkeypatch)
    await world.pay(**card("4000000000010043"))
    assert [answer.callback for answer in world.told] == [1, 0, 3, 2]
    assert [refusal.code for refusal in world.refusals] == ["attempt_answered"] * 3


@pytest.mark.parametrize(
    ("vpa", "takes_ms"), [("slow-1500@upi", 1500), ("slow-999999@upi", 60_000)]
)
async def test_a_slow_bank_takes_its_time_and_no_more_than_a_minute(
    vpa: str, takes_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(monkeypatch)
    payment = await world.pay(**asked({"vpa": vpa}))
    assert payment.state == "captured"
    assert world.now_ms - payment.created_at_ms == takes_ms
