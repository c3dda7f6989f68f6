"""The bank's whims on the real stack: silence, questions, second thoughts and outages end well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from headgate.embedded.stack import Stack
from headgate.streams import ids
from headgate.streams.commands import AuthenticatePayment, CapturePayment, RefundPayment
from headgate.tables.inquiries import BY_HAND_FROM
from tests.system.harness_bank import KNOBS, OLGA, Shop, trading
from tests.system.harness_edge import PAYMENTS
from tests.system.harness_place import holds

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
]

OPENING = ["created", "pending", "processing"]
PAID = ["authorized", "captured", "success"]
BACK = ["reversal.created", "reversal_sent", "reversal.succeeded"]
REFUNDED = ["refund.created", "refund.submitted", "refund.processed"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """One system for all of it."""
    async with trading(stack, tmp_path_factory.mktemp("bank")) as shop:
        yield shop


async def silence_is_resolved_within_seconds(shop: Shop) -> None:
    """07 §6 row 32."""
    payment_id = await shop.pay_with("4000000000010019")
    await shop.tells(payment_id, "success")
    assert await shop.story(payment_id) == [*OPENING, "in_doubt", *PAID]
    assert await shop.calls(payment_id) == 4


async def an_operator_asks_out_of_turn(shop: Shop) -> None:
    """The bank of `timeout@upi` answers third questions and later ones: one by hand is enough, long
    before its turn after 14 seconds; what comes in its turn changes nothing."""
    payment_id = await shop.pay(vpa="timeout@upi")
    await shop.tells(payment_id, "in_doubt")
    asked = await shop.inquire(payment_id, "they call")
    assert (asked.status_code, asked.json()["look"]) == (200, BY_HAND_FROM + 1), asked.text
    payment = await shop.tells(payment_id, "success")
    assert await shop.story(payment_id) == [*OPENING, "in_doubt", *PAID]
    found = ids.command_id(payment_id, "inquire", f"{payment.attempt_id}:{BY_HAND_FROM + 1}")
    refusal = "select refusal from operations where command_id = $1"
    assert [row["refusal"] for row in await shop.running.place.rows(refusal, found)] == [None]
    late = await shop.inquire(payment_id, "to be sure")
    assert (late.status_code, late.json()["code"]) == (409, "not_in_doubt"), late.text
    timeline = await shop.running.edge.client.get(f"{PAYMENTS}/{payment_id}/timeline")
    by_hand = [entry for entry in timeline.json()["data"] if entry["kind"] == "inquiry"]
    assert [entry["inquiry"]["reason"] for entry in by_hand] == ["they call"]
    assert by_hand[0]["actor"] == f"operator:{OLGA}"


async def three_d_secure_waits_for_the_customer(shop: Shop) -> None:
    """08 R24."""
    payment_id = await shop.pay_with("4000003800000446")
    waiting = await shop.tells(payment_id, "requires_action")
    assert waiting.state == "requires_action"
    await shop.ask(AuthenticatePayment, payment_id, outcome="succeeded")
    await shop.tells(payment_id, "success")
    assert await shop.story(payment_id) == [*OPENING, "requires_action", "processing", *PAID]


async def a_capture_fails_once(shop: Shop) -> None:
    """08 R20, R21: what the bank did not take can be captured again."""
    payment_id = await shop.pay_with("4000000000010068", capture_method="manual")
    await shop.tells(payment_id, "success")
    await shop.ask(CapturePayment, payment_id)
    held = await shop.tells(payment_id, "capture.failed")
    assert (held.state, held.capturable) == ("authorized", 50_000)
    await shop.ask(CapturePayment, payment_id)
    done = await shop.tells(payment_id, "captured")
    assert (done.state, done.amount_captured) == ("captured", 50_000)


async def a_refund_comes_back(shop: Shop) -> None:
    """A callback after the answer (02 §8.2)."""
    payment_id = await shop.pay_with("4000000000005126")
    await shop.tells(payment_id, "success")
    await shop.ask(RefundPayment, payment_id, amount=20_000)
    payment = await shop.tells(payment_id, "refund.failed")
    assert await shop.story(payment_id) == [*OPENING, *PAID, *REFUNDED, "refund.failed"]
    assert (payment.amount_refunded, payment.refundable) == (0, 50_000)


async def a_late_approval_is_reversed(shop: Shop) -> None:
    """08 R22."""
    payment_id = await shop.pay(vpa="late@upi")
    payment = await shop.tells(payment_id, "reversal.succeeded")
    assert (payment.state, payment.amount_captured) == ("failed", 0)
    told = [*OPENING, "in_doubt", "failed", "late_authorized", *BACK]
    assert await shop.story(payment_id) == told


async def a_partial_approval_is_reversed(shop: Shop) -> None:
    """08 R22."""
    payment_id = await shop.pay_with("4000000000010050")
    payment = await shop.tells(payment_id, "reversal.succeeded")
    assert (payment.state, payment.children[0].amount) == ("failed", 30_000)


async def callbacks_come_three_times(shop: Shop) -> None:
    """07 §6 row 33."""
    payment_id = await shop.pay_with("4000000000010043")
    await shop.tells(payment_id, "success")
    refused = "select count(*) from operations where payment_id = $1 and refusal is not null"

    async def all_heard() -> bool:
        return await shop.running.place.number(refused, payment_id) == 3

    assert await holds(all_heard, 20)
    assert await shop.story(payment_id) == [*OPENING, *PAID]


async def a_magic_amount_is_refused(shop: Shop) -> None:
    """01 §10."""
    payment_id = await shop.pay(vpa="a@b", amount=50_001, metadata={"test_magic": "1"})
    payment = await shop.tells(payment_id, "failed")
    assert payment.decline_code == "do_not_honor"


async def test_whatever_the_bank_plays_the_payment_comes_to_its_end(shop: Shop) -> None:
    """All at once, as customers come."""
    async with asyncio.TaskGroup() as group:
        for play in (
            silence_is_resolved_within_seconds,
            an_operator_asks_out_of_turn,
            three_d_secure_waits_for_the_customer,
            a_capture_fails_once,
            a_refund_comes_back,
            a_late_approval_is_reversed,
            a_partial_approval_is_reversed,
            callbacks_come_three_times,
            a_magic_amount_is_refused,
        ):
            group.create_task(play(shop))


async def test_an_outage_of_the_bank_leaves_doubt_and_its_end_resolves_it_08_r24(
    shop: Shop,
) -> None:
    answer = await shop.set_bank(outage=True)
    assert answer.json()["outage"] is True
    client = shop.running.edge.client
    assert (await client.get(KNOBS)).json() == answer.json()

    async def in_doubt() -> bool:
        """Workers hear of it within a second: the payments after that are the ones that count."""
        await shop.tells(await shop.pay(vpa="success@upi"), "processing")
        payment_id = await shop.pay(vpa="success@upi")
        await holds(lambda: _answered(shop, payment_id), 10)
        lost.append(payment_id)
        return (await shop.payment(payment_id)).state == "in_doubt"

    lost: list[str] = []
    assert await holds(in_doubt, 20)
    payment_id = lost[-1]
    assert await shop.story(payment_id) == [*OPENING, "in_doubt"]
    await shop.set_bank()
    await shop.tells(payment_id, "success")
    assert await shop.story(payment_id) == [*OPENING, "in_doubt", *PAID]


async def _answered(shop: Shop, payment_id: str) -> bool:
    """Whether the bank's first word, or its silence, has been decided."""
    return len(await shop.story(payment_id)) > len(OPENING)
