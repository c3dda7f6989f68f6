"""A verdict is wrong when something is: every fault is planted, and found where it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant

from headgate.replay import checks, invariants
from headgate.replay.checks import EXAMPLES_MAX, Check, Found, Verdict
from headgate.replay.invariants import Keys
from headgate.replay.receiver import Arrivals
from headgate.replay.standing import Standing, Stands, Whose
from headgate.replay.stored import StoredPayment
from headgate.replay.tally import Tally
from headgate.streams.commands import CapturePayment, RefundPayment
from headgate.streams.frozen import but
from tests.unit.builders import MERCHANT, answer_to, asks, child_answer, create
from tests.unit.replay_rows import NOW_MS, SECRET, Told, lived, paid, retried, rows
from tests.unit.test_payments_machine import Payments


def in_doubt() -> StoredPayment:
    """A payment of which the bank has not told."""
    asked = create("doubt")
    return lived(asked, answer_to(asked, "unknown"))


def half_refunded() -> StoredPayment:
    """A payment of which a part was given back."""
    asked = create("refund")
    approved = answer_to(asked, "approved")
    refund = asks(RefundPayment, asked, amount=20_000)
    child = lived(asked, approved, refund).payment.children[0]
    return lived(
        asked, approved, refund, child_answer(lived(asked, approved).payment, child, "approved")
    )


def whole_run() -> list[StoredPayment]:
    """Some payments to which all has happened that may."""
    failed = create("declined")
    return [paid("a"), paid("b"), half_refunded(), lived(failed, answer_to(failed, "declined"))]


def wrong(lines: dict[str, Check]) -> set[str]:
    """The names of the lines that do not hold."""
    return {name for name, line in lines.items() if line.ok is False}


def test_a_run_to_which_nothing_happened_holds_in_every_line() -> None:
    lines = Told(whole_run()).checks()
    assert wrong(lines) == set()
    assert {line.ok for line in lines.values()} == {True}
    assert Verdict(tuple(lines.values())).holds


class Judged(Payments):
    """Whatever happens to a payment, its rows pass every question."""

    @invariant()
    def its_rows_keep_every_invariant(self) -> None:
        """No false alarm: `decide` is held to be right, and the rows are what it decided."""
        if self.fold.payment is None:
            return
        decided = {each.command_id: each for each, _ in self.history}
        pairs = [(decided[name], made) for name, made in self.fold.decided.items()]
        one = rows(self.payment, pairs)
        for number, questions in invariants.OF_PAYMENT.items():
            if number != "I3":
                assert [fault for ask in questions for fault in ask(one)] == []
        assert list(invariants.deliveries(one)) == []
        assert list(Keys().add(one)) == []


TestJudged = Judged.TestCase
TestJudged.settings = settings(
    max_examples=20,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

Planted = Callable[[StoredPayment], StoredPayment]


def without_a_fact(one: StoredPayment) -> StoredPayment:
    return replace(one, facts=[fact for fact in one.facts if fact.sequence != 2])


def facts_swapped(one: StoredPayment) -> StoredPayment:
    first, second, *rest = one.facts
    return replace(one, facts=[replace(second, sequence=1), replace(first, sequence=2), *rest])


def captured_straight_away(one: StoredPayment) -> StoredPayment:
    """Its second fact tells a state to which no transition leads from there."""
    before = b'"state":"created"'
    second = replace(
        one.facts[1], payload=one.facts[1].payload.replace(before, b'"state":"failed"')
    )
    return replace(one, facts=[one.facts[0], second, *one.facts[2:]])


def captured_more(one: StoredPayment) -> StoredPayment:
    return replace(one, payment=but(one.payment, amount_captured=50_001))


def refunded_more(one: StoredPayment) -> StoredPayment:
    return replace(one, payment=but(one.payment, amount_refunded=50_001))


def nothing_paid(one: StoredPayment) -> StoredPayment:
    return replace(one, amount=0)


def another_row(one: StoredPayment) -> StoredPayment:
    return replace(one, state="failed")


def another_event_id(one: StoredPayment) -> StoredPayment:
    first = replace(one.facts[0], event_id="evt_another")
    return replace(one, facts=[first, *one.facts[1:]])


def created_twice(one: StoredPayment) -> StoredPayment:
    return replace(one, operations=[*one.operations, one.operations[0]])


def still_processing(one: StoredPayment) -> StoredPayment:
    """The bank was asked, and that was all."""
    del one
    return lived(create("a"))


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (without_a_fact, "histories without gaps"),
        (facts_swapped, "events have their ids"),
        (captured_straight_away, "histories without gaps"),
        (captured_more, "amounts within limits"),
        (captured_more, "money adds up"),
        (refunded_more, "amounts within limits"),
        (refunded_more, "money adds up"),
        (nothing_paid, "amounts within limits"),
        (another_row, "histories without gaps"),
        (another_event_id, "events have their ids"),
        (created_twice, "one key, one effect"),
        (still_processing, "stored = settled"),
    ],
)
def test_a_fault_in_the_rows_is_found_by_the_line_that_is_about_it(
    plant: Planted, found: str
) -> None:
    told = Told([paid("a"), paid("b")])
    first, second = told.payments
    line = told.checks(plant(first), second)[found]
    assert line.ok is False
    assert line.examples
    assert all(first.payment.id in example for example in line.examples)


def test_a_payment_that_was_accepted_and_is_not_there_is_named() -> None:
    told = Told([paid("a"), paid("b")])
    line = told.checks(told.payments[0])["accepted = stored"]
    assert (line.ok, line.expected, line.found) == (False, 2, 1)
    assert line.examples == (f"{told.payments[1].payment.id}: was accepted, but has no row",)


def test_a_payment_that_nobody_was_told_of_is_named() -> None:
    told, more = Told([paid("a")]), paid("b")
    line = told.checks(*told.payments, more)["accepted = stored"]
    assert (line.ok, line.expected, line.found) == (False, 1, 2)
    assert line.examples[0].startswith(more.payment.id)


def test_payments_of_others_are_not_judged_where_the_merchant_is_not_the_runs_own() -> None:
    told = Told([paid("a")], whose=Whose(MERCHANT, endpoint_id="whe_1", alone=False))
    assert wrong(told.checks(*told.payments, another_row(paid("b")))) == set()


def test_a_payment_whose_request_was_given_up_is_an_effect_without_an_answer() -> None:
    told = Told([paid("a")])
    lost = paid("b")
    told.tally.unanswered.add(lost.payment.id)
    lines = told.checks(*told.payments, lost)
    assert lines["no effect unanswered"].examples[0].startswith(lost.payment.id)


def test_a_refund_that_was_accepted_and_is_not_there_is_named() -> None:
    told = Told([half_refunded()])
    told.tally.children["rfnd_lost"] = told.payments[0].payment.id
    line = told.checks()["accepted parts = stored"]
    assert (line.expected, line.found) == (2, 1)
    assert line.examples[0].startswith("rfnd_lost")


def test_two_effects_of_one_key_are_found_across_payments() -> None:
    captures = [asks(CapturePayment, create(key), key="the-same") for key in ("a", "b")]
    lives = [
        lived(asked := create(key, capture_method="manual"), answer_to(asked, "approved"), capture)
        for key, capture in zip(("a", "b"), captures, strict=True)
    ]
    line = Told(lives).checks()["one key, one effect"]
    assert line.examples[0].startswith(captures[1].command_id)


def test_two_payments_under_one_key_are_found() -> None:
    first = paid("a")
    second = replace(paid("b"), payment=but(paid("b").payment, idempotency_key="a"))
    line = Told([first, second]).checks()["one key, one effect"]
    assert line.examples == (
        f"{second.payment.id}: has the Idempotency-Key 'a' of {first.payment.id}",
    )


# Doubt


def test_what_is_in_doubt_as_recorded_is_told_and_no_fault() -> None:
    told = Told([in_doubt()])
    told.tally.in_doubt.add(told.payments[0].payment.id)
    lines = told.checks()
    line = lines["in doubt as recorded"]
    assert wrong(lines) == set()
    assert line.found == 1
    assert "the bank is asked again at 2026-" in line.examples[0]


def test_what_is_in_doubt_and_was_not_in_the_recording_is_a_fault_of_that_line_alone() -> None:
    assert wrong(Told([in_doubt()]).checks()) == {"in doubt as recorded"}


def test_what_is_in_doubt_and_never_asked_about_has_not_settled() -> None:
    one = in_doubt()
    for operations in (
        [replace(each, asks_again_ms=()) for each in one.operations],
        [replace(each, asks_again_ms=(NOW_MS - 31_000,)) for each in one.operations],
    ):
        told = Told([replace(one, operations=operations)])
        told.tally.in_doubt.add(one.payment.id)
        assert wrong(told.checks()) == {"stored = settled"}


# Delivery


def test_a_webhook_that_did_not_arrive_is_named_though_its_row_says_so() -> None:
    told = Told([paid("a")])
    told.arrivals = Arrivals(SECRET)
    for fact in told.payments[0].facts[1:]:
        told.arrive(fact.event_id, fact.payload)
    line = told.checks()["facts = delivered"]
    facts = len(told.payments[0].facts)
    assert (line.expected, line.found) == (facts, facts - 1)
    assert line.examples[0].startswith(told.payments[0].facts[0].event_id)


def test_a_webhook_that_is_still_on_its_way_says_what_the_receiver_said() -> None:
    told = Told([paid("a")])
    told.arrivals = None
    [one] = told.payments
    waits = replace(one.deliveries[0], status="held", said="503")
    line = told.checks(replace(one, deliveries=[waits, *one.deliveries[1:]]))["facts = delivered"]
    [example] = line.examples
    assert example.startswith(f"{waits.event_id}: payment.created of {one.payment.id} is held")
    assert example.endswith("the receiver last said 503")


def test_a_fact_without_a_delivery_and_one_with_two_are_named() -> None:
    told = Told([paid("a")])
    [one] = told.payments
    first, second, *rest = one.deliveries
    line = told.checks(replace(one, deliveries=[second, replace(second, id="dlv_2"), *rest]))[
        "facts = delivered"
    ]
    assert [example.partition(":")[0] for example in line.examples] == [
        first.event_id,
        second.event_id,
    ]


def test_a_delivery_of_no_fact_is_named() -> None:
    told = Told([paid("a")])
    [one] = told.payments
    stray = replace(one.deliveries[0], id="dlv_2", event_id="evt_stray")
    line = told.checks(replace(one, deliveries=[*one.deliveries, stray]))["facts = delivered"]
    assert line.examples[0].startswith("evt_stray")


def test_a_repeat_with_other_bytes_and_one_without_a_signature_are_faults() -> None:
    told = Told([paid("a")])
    fact = told.payments[0].facts[0]
    assert told.arrive(fact.event_id, fact.payload) == 200
    assert wrong(told.checks()) == set()
    assert told.arrive(fact.event_id, fact.payload + b" ") == 200
    assert (
        told.arrive(fact.event_id, fact.payload, secret="whsec_bm9ib2R5IGtub3dzIHRoaXMgc2VjcmV0")
        == 400
    )
    line = told.checks()["webhooks in order"]
    assert (line.ok, line.found) == (False, 2)
    assert any(example.startswith(fact.event_id) for example in line.examples)


def test_webhooks_about_endpoints_are_no_strangers() -> None:
    told = Told([paid("a")])
    told.arrive("evt_warning", b"{}")
    assert wrong(told.checks(others=[("evt_warning", b"{}")])) == set()
    assert wrong(told.checks()) == {"webhooks in order"}


def test_without_an_endpoint_delivery_is_not_judged_and_says_why() -> None:
    of = Whose(MERCHANT, why_untold="loopback is refused")
    told = Told([paid("a")], whose=of)
    line = told.checks()["facts = delivered"]
    assert (line.ok, line.meaning) == (None, "loopback is refused")


def test_attempts_are_numbered_and_none_is_early() -> None:
    one = paid("a")
    for again, ok in (
        (retried(one, 5, 300), True),
        (retried(one, 5, 300, early_s=0.5), False),
        (_renumbered(retried(one, 5, 300)), False),
    ):
        assert Told([again]).checks()["webhooks in order"].ok is ok


def _renumbered(one: StoredPayment) -> StoredPayment:
    first = one.deliveries[0]
    again = replace(first, attempts=(first.attempts[0], *first.attempts))
    return replace(one, deliveries=[again, *one.deliveries[1:]])


# Lines that need no rows


def test_examples_are_few_and_the_count_is_whole() -> None:
    found = Found()
    assert found.add(str(number) for number in range(100)) == 100
    assert (found.count, len(found.examples)) == (100, EXAMPLES_MAX)


def test_a_step_that_was_given_up_was_not_answered() -> None:
    tally = Tally(sent=4)
    tally.answered.update({201: 2, 400: 1, 503: 1})
    line = checks.answered(tally)
    assert (line.ok, line.found, line.examples) == (False, 3, ("1 steps ended with 503",))
    tally.answered.update({201: 1})
    tally.answered.subtract({503: 1})
    assert checks.answered(tally).ok
    tally.answered.update({429: 1})
    tally.given_up[429] += 1
    tally.sent += 1
    line = checks.answered(tally)
    assert (line.ok, line.found, line.examples) == (False, 4, ("1 steps ended with 429",))


def test_a_step_that_was_refused_anew_under_its_recorded_id_has_no_answer_of_its_own() -> None:
    """A run with the same ids would else hold although it proves nothing."""
    tally = Tally(sent=3)
    tally.answered.update({201: 1, 400: 1, 422: 1})
    tally.refused.update({"payment_not_capturable": 1, "idempotency_key_reused": 1})
    tally.refused_anew.update({"idempotency_key_reused": 1})
    line = checks.answered(tally)
    assert (line.ok, line.found) == (False, 2)
    [example] = line.examples
    assert example.startswith("1 steps: idempotency_key_reused now")


@pytest.mark.parametrize("name", list(Stands.__dataclass_fields__))
def test_the_same_ids_may_add_nothing_anywhere(name: str) -> None:
    before = Stands(1, 2, 3, 4, 5, 6, 7)
    assert all(line.ok for line in checks.unchanged(before, before))
    after = replace(before, **{name: 9})
    assert [line.name for line in checks.unchanged(before, after) if not line.ok] == [
        f"same {name}"
    ]


def test_requests_that_were_answered_otherwise_are_told() -> None:
    line = checks.as_repeated(3, ["POST /api/v1/payments: 201, but other bytes"])
    assert (line.ok, line.expected, line.found) == (False, 3, 2)
    assert checks.as_repeated(0, (), "no edge").ok is None


def test_standing_says_what_is_left() -> None:
    rest = Standing({"captured": 2, "in_doubt": 1}, 12, {"deferred": 1}, {"success": 12})
    assert rest.settled(3, told=True)
    assert not rest.settled(4, told=True)
    assert not replace(rest, payments={"processing": 3}).settled(3, told=True)
    assert not replace(rest, children={"submitted": 1}).settled(3, told=True)
    late = replace(rest, deliveries={"success": 11})
    assert (late.undelivered, late.settled(3, told=True), late.settled(3, told=False)) == (
        1,
        False,
        True,
    )
