"""Steps out of recorded commands: what is sent, how the bank plays, under which ids (08 R35)."""

from __future__ import annotations

import asyncio
from typing import get_args

import pytest

from headgate.agents.acquirers.simulator import Simulator
from headgate.replay.bank_story import BankStory
from headgate.replay.bank_values import in_doubt, value_again, value_for
from headgate.replay.fresh_ids import FreshIds, RecordedIds
from headgate.replay.outlook import Outlook, is_step
from headgate.replay.rest_calls import CARD_UNKNOWN, KEY_UNKNOWN, NotRepeatable, call_of
from headgate.replay.sink_commands import fresh_command
from headgate.replay.steps import Place, Step, Steps
from headgate.streams import ids
from headgate.streams.commands import (
    AcquirerAnswer,
    AcquirerRequest,
    CapturePayment,
    Card,
    ClientCommand,
    CommandBase,
    InquirePayment,
    Method,
    ResolvePayment,
    Timer,
)
from headgate.streams.plays import PLAYS, Scenario
from headgate.streams.scenarios import CARDS, VPAS, scenario_of
from headgate.streams.settings import Settings
from tests.unit import replay_setting as recorded
from tests.unit.builders import asks, processing
from tests.unit.replay_setting import (
    BEGAN_MS,
    Records,
    answer,
    base,
    cancel_refund,
    capture,
    create,
    refund,
)

FRESH = FreshIds("run_a", "mer_new")
VISA = {"brand": "visa", "last4": "4242", "expiry_month": 1, "expiry_year": 2040}


def step(command: ClientCommand, scenario: str | None = None) -> Step:
    return Step(Place(0, "payments.commands", 0, 0), BEGAN_MS, command, scenario)


async def steps_of(source: Records) -> list[Step]:
    return [each async for each in Steps(source, await Outlook.of(source))]


async def test_only_what_clients_sent_becomes_a_step() -> None:
    one = create(1)
    timer = Timer(**base(one.payment_id, "timer", "t"), timer="hold")
    found = await steps_of(Records([one, answer(one, "approved"), timer, refund(one)]))
    assert [each.recorded.command_id for each in found] == [
        one.command_id,
        refund(one).command_id,
    ]
    assert [each.children for each in found] == [1, 0]
    assert [each.after_bank for each in found] == [False, True]


async def test_a_child_that_came_before_the_banks_word_does_not_wait_for_it() -> None:
    one = create(1)
    [_, child] = await steps_of(Records([one, capture(one), answer(one, "approved")]))
    assert not child.after_bank


async def test_a_source_that_is_read_again_gives_the_same_steps() -> None:
    one, two = create(1), create(2)
    source = Records([one, two, answer(one, "declined"), refund(two)])
    assert await steps_of(source) == await steps_of(source)


async def test_unreadable_records_are_counted_and_other_topics_passed_over() -> None:
    source = Records([create(1)])
    [record] = [each async for each in source.records()]
    outlook = Outlook()
    outlook.look_at(type(record)("payments.commands", 0, 1, 1, b"k", b"no command", ()))
    outlook.look_at(type(record)("operations", 0, 1, 1, b"k", b"{}", ()))
    assert (outlook.unreadable, outlook.steps, outlook.records, outlook.commands) == (1, 0, 2, 1)


async def test_payments_are_remembered_also_by_what_banks_and_timers_said() -> None:
    """They are appended too, where records go as they are."""
    one, two, three = create(1), create(2), create(3)
    timer = Timer(**base(three.payment_id, "timer", "t"), timer="hold")
    source = Records([one, answer(two, "approved"), timer])
    outlook = await Outlook.of(source, remember=True)
    assert outlook.payments == {each.payment_id for each in (one, two, three)}


async def test_of_plain_payments_nothing_is_kept() -> None:
    """A million of them must fit into memory."""
    found: list[CommandBase] = []
    for number in range(50):
        one = create(number)
        found += [one, answer(one, "approved")]
    outlook = await Outlook.of(Records(found))
    assert (outlook.stories, outlook.children, outlook._asked) == ({}, {}, {})


def played(scenario: Scenario) -> list[AcquirerAnswer]:
    """What the simulated bank says in the life of one payment, in order."""
    bank = Simulator(Settings(secret_key="", test_mode=True, test_processing_delay_ms=0))
    said: list[AcquirerAnswer] = []
    one = create(1, scenario=scenario)

    def hear(request: AcquirerRequest) -> str:
        call = bank.inquire if request.type == "inquire" else bank.authorize
        told = asyncio.run(call(request))
        about = {"operation": request.about, "look": request.look, "amount": told.amount}
        kept = {"decline_code": told.decline_code}
        said.append(answer(one, told.outcome, **about, **kept))
        for number, later in enumerate(bank.callbacks(request, told), start=1):
            more = {**about, "amount": later.answer.amount, "callback": number}
            why = later.answer.decline_code
            said.append(answer(one, later.answer.outcome, **more, decline_code=why))
        return str(told.outcome)

    request = AcquirerRequest(
        type="authorize", payment_id=one.payment_id, merchant_id="m", mode="test",
        attempt_id="att_1", amount=5000, currency="INR", method="card", scenario=scenario,
    )  # fmt: skip
    last, look = hear(request), 0
    while last in ("unknown", "challenged") and look < 3:
        look += 1
        last = hear(request.model_copy(update={"type": "inquire", "look": look}))
    if last == "approved":
        for kind in ("capture", "refund"):
            hear(request.model_copy(update={"type": kind, "about": kind}))
    return said


ENDS_ALIKE = {
    "instant_funds": "approve", "disputed": "approve", "dispute_inquiry": "approve",
    "settlement_discrepancy": "approve", "duplicate_callbacks": "approve",
}  # fmt: skip
"""Plays whose bank does nothing but approve."""


@pytest.mark.parametrize("scenario", get_args(Scenario))
def test_a_play_is_known_again_by_what_the_bank_said(scenario: Scenario) -> None:
    story = BankStory()
    for said in played(scenario):
        story.hear(said, 5000)
    method: Method = "upi" if scenario.startswith("collect_") else "card"
    found = "approve" if story.plain else story.scenario(method)
    assert found == ENDS_ALIKE.get(scenario, scenario)


@pytest.mark.parametrize("scenario", [*PLAYS, "slow-700"])
@pytest.mark.parametrize("method", ["card", "upi", "wallet", "netbanking"])
def test_every_play_has_a_value_that_the_edge_understands(scenario: str, method: str) -> None:
    value = value_for(create(1, method=method), scenario)
    played_then = scenario_of(
        card_number=value.card_number, vpa=value.vpa, amount=5000, metadata={}
    )
    assert played_then == value.scenario
    assert (value.card_number is not None) == (method == "card")
    known = set(CARDS.values()) if method == "card" else {*VPAS.values(), "slow-700"}
    if scenario in known:
        assert value.scenario == scenario
    if in_doubt(scenario):
        assert in_doubt(value.scenario)


def test_a_magic_amount_stays_and_a_wrong_one_is_disarmed() -> None:
    magic = {"metadata": {"test_magic": "1", "cart": "7"}, "amount": 5001}
    call = call_of(step(create(1, **magic, vpa="a@b"), "decline"), FRESH, 0)
    assert call.body["metadata"] == magic["metadata"]
    call = call_of(step(create(1, **magic), "approve"), FRESH, 0)
    assert "metadata" not in call.body
    assert call.body["vpa"] == "success@upi"


def test_fresh_ids_are_those_that_the_edge_will_derive() -> None:
    one = create(1)
    asked, paid = refund(one), FRESH.payment(one)
    assert paid == ids.payment_id("mer_new", "test", FRESH.key(one))
    assert FRESH.payment(asked) == paid
    command = ids.command_id(paid, "payment.refund", FRESH.key(asked))
    assert FRESH.refund(cancel_refund(asked)) == ids.child_id("refund", command)
    assert FRESH.command(asked) == command


def test_ids_differ_by_run_and_turn_and_from_the_recorded_ones() -> None:
    one = create(1)
    others = [FRESH, FreshIds("run_b", "mer_new"), FRESH.at(1), FreshIds("run_a", "mer_other")]
    found = {each.payment(one) for each in others} | {one.payment_id}
    assert len(found) == 5
    assert FRESH.at(0) == FRESH


def test_the_calls_are_those_of_the_rest_api() -> None:
    one = create(1)
    asked, paid = refund(one), FRESH.payment(one)
    call = call_of(step(capture(one, amount=70, final=False)), FRESH, 0)
    assert (call.path, call.body) == (
        f"/api/v1/payments/{paid}/capture",
        {"amount": 70, "final": False},
    )
    assert call_of(step(asked), FRESH, 0).body == {"full": True}
    call = call_of(step(cancel_refund(asked)), FRESH, 0)
    assert call.path == f"/api/v1/refunds/{FRESH.refund(cancel_refund(asked))}/cancel"


def test_times_in_a_step_move_with_it() -> None:
    one = create(1, capture_method="manual", capture_at_ms=BEGAN_MS + 5000)
    body = call_of(step(one), FRESH, 86_400_000).body
    assert body["capture_at"] == "2026-05-29T20:26:45.000Z"
    moved = fresh_command(step(one), FRESH, 1000)
    assert moved.model_dump()["capture_at_ms"] == BEGAN_MS + 6000


def test_a_fresh_command_says_its_scenario_and_belongs_to_the_new_merchant() -> None:
    one = create(1)
    told = fresh_command(step(one, "timeout"), FRESH, 0).model_dump()
    assert (told["scenario"], told["merchant_id"], told["mode"]) == ("timeout", "mer_new", "test")
    assert told["payment_id"] == FRESH.payment(one)
    assert told["reply_to"] is None


def test_under_recorded_ids_the_very_request_is_made_again() -> None:
    kept = {"card": Card(**VISA, fingerprint="x"), "method": "card", "scenario": "approve"}
    call = call_of(step(create(1, **kept)), RecordedIds(recorded.MERCHANT), 0)
    assert call.key == "key-1"
    assert call.body["card"]["number"] == "4242424242424242"
    assert call.body["card"]["expiry_year"] == 2040
    call = call_of(step(create(2, vpa="who@bank")), RecordedIds(recorded.MERCHANT), 0)
    assert call.body["vpa"] == "who@bank"


def test_under_recorded_ids_times_stay_since_the_edge_compares_the_whole_request() -> None:
    """A moved one would be another request under a used key."""
    ids_then = RecordedIds(recorded.MERCHANT)
    one = create(1, capture_method="manual", capture_at_ms=BEGAN_MS + 5000)
    deferred = refund(one, submit_at_ms=BEGAN_MS + 5000)
    assert call_of(step(one), ids_then, 86_400_000) == call_of(step(one), ids_then, 0)
    assert call_of(step(deferred), ids_then, 9)[1]["submit_at"] == "2026-05-28T20:26:45.000Z"


def test_what_cannot_be_made_again_says_why() -> None:
    other = Card(**{**VISA, "last4": "0001"}, fingerprint="x")
    with pytest.raises(NotRepeatable, match=CARD_UNKNOWN):
        call_of(step(create(1, card=other, method="card")), RecordedIds(recorded.MERCHANT), 0)
    drawn = create(1).model_copy(update={"idempotency_key": None})
    with pytest.raises(NotRepeatable, match=KEY_UNKNOWN):
        call_of(step(drawn), RecordedIds(recorded.MERCHANT), 0)
    assert value_again(create(1, vpa="a@b")) is not None


def test_what_operators_say_is_not_sent() -> None:
    """It was about another bank's doubt."""
    payment = processing()
    said = {"child_id": "rfnd_1", "outcome": "failed", "evidence": "a letter"}
    assert not is_step(asks(ResolvePayment, payment, **said))
    assert not is_step(asks(InquirePayment, payment, reason="they call"))
    assert is_step(asks(CapturePayment, payment))
