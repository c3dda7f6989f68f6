"""What holds over a payment's whole life, whatever the commands: order, versions, bytes, purity."""

from __future__ import annotations

import json

import pytest

from headgate.streams import ids
from headgate.streams.codec import encode
from headgate.streams.commands import Command
from headgate.streams.facts import Fact, PaymentSnapshot
from headgate.tables.payment import Payment
from headgate.tables.payments import decide
from tests.unit.builders import AT_MS, an_answer, create, processing

LATER_MS = AT_MS + 5000


def lives() -> list[list[Command]]:
    """The whole lives that a payment can have today."""
    return [
        [create(), an_answer("approved")],
        [create(capture_method="manual"), an_answer("approved")],
        [create(), an_answer("declined", decline_code="do_not_honor")],
        [create(), an_answer("unknown"), an_answer("approved", 1)],
        [create(), an_answer("unknown"), an_answer("unknown", 1), an_answer("not_found", 2)],
        [create(), an_answer("approved"), an_answer("declined", 1), create(amount=9)],
    ]


@pytest.mark.parametrize("life", lives())
def test_sequences_have_no_gap_over_a_whole_life(life: list[Command]) -> None:
    payment: Payment | None = None
    facts: list[Fact] = []
    for command in life:
        decision = decide(payment, command, AT_MS)
        payment = decision.payment
        facts += decision.facts
    assert payment is not None
    assert [fact.sequence for fact in facts] == list(range(1, payment.sequence + 1))
    assert [fact.id for fact in facts] == [
        ids.event_id(payment.id, fact.sequence) for fact in facts
    ]


@pytest.mark.parametrize("life", lives())
def test_the_version_counts_commands_that_were_not_refused(life: list[Command]) -> None:
    payment: Payment | None = None
    for command in life:
        before = payment.version if payment else 0
        decision = decide(payment, command, AT_MS)
        payment = decision.payment
        assert payment is not None
        assert payment.version == before + (decision.refusal is None)


@pytest.mark.parametrize("life", lives())
def test_a_fact_says_what_changed_and_what_it_was_before(life: list[Command]) -> None:
    payment: Payment | None = None
    shown: PaymentSnapshot | None = None
    for number, command in enumerate(life):
        decision = decide(payment, command, AT_MS + number)
        payment = decision.payment
        for fact in decision.facts:
            now = fact.data.payment
            told = {} if shown is None else now.model_dump() | fact.previous
            assert shown is None or told == shown.model_dump() | {"updated_at": now.updated_at}
            assert all(now.model_dump()[name] != old for name, old in fact.previous.items())
            shown = now


@pytest.mark.parametrize("life", lives())
def test_the_last_fact_shows_the_payment_as_it_is(life: list[Command]) -> None:
    payment: Payment | None = None
    for command in life:
        decision = decide(payment, command, AT_MS)
        payment = decision.payment
        assert payment is not None
        if decision.facts:
            assert decision.facts[-1].data.payment == payment.snapshot()


@pytest.mark.parametrize("life", lives())
def test_deciding_is_pure_same_question_same_bytes(life: list[Command]) -> None:
    def told() -> list[bytes]:
        payment: Payment | None = None
        facts: list[bytes] = []
        for number, command in enumerate(life):
            decision = decide(payment, command, AT_MS + number)
            payment = decision.payment
            facts += [encode(fact) for fact in decision.facts]
            facts += [encode(outgoing.request) for outgoing in decision.requests]
        return facts

    assert told() == told()


def test_a_fact_is_the_webhook_body_with_the_seeds_members() -> None:
    """08 R9: the fact's value is the body; the seed reads `event`, `timestamp`, `data.payment`."""
    fact = decide(processing(), an_answer("approved"), LATER_MS).facts[-1]
    body = json.loads(encode(fact))
    assert body["event"] == body["type"] == "payment.success"
    assert body["timestamp"] == LATER_MS // 1000
    assert body["data"]["payment"]["status"] == "success"
    assert body["data"]["payment"]["captured"] is True
    assert body["v"] == 1
    assert body["request"] == {"id": "req_1", "idempotency_key": "key-1"}
    assert not {"offset", "partition", "cursor"} & body.keys()


def test_a_fact_is_timed_by_the_command_and_not_by_a_clock() -> None:
    fact = decide(None, create(), 1).facts[0]
    assert (fact.timestamp, fact.created_at) == (0, "1970-01-01T00:00:00.001Z")


def test_live_payments_say_so() -> None:
    assert decide(None, create(mode="live"), AT_MS).facts[0].livemode is True
    assert decide(None, create(), AT_MS).facts[0].livemode is False


def test_the_bytes_do_not_depend_on_where_the_payment_was_kept() -> None:
    """PostgreSQL's jsonb reorders members. A payment that was read back must tell the very bytes
    that one from the hot table tells, or a rebuild would not find its facts again (08 R10)."""
    payment = processing(metadata={"zebra": "1", "ant": "2", "be": "3"})
    reordered = json.loads(payment.model_dump_json())
    reordered["metadata"] = dict(
        sorted(reordered["metadata"].items(), key=lambda item: (len(item[0]), item[0]))
    )
    read_back = Payment.model_validate_json(json.dumps(reordered))
    hot = Payment.model_validate_json(payment.model_dump_json())
    answer = an_answer("approved")
    told = [
        [encode(fact) for fact in decide(one, answer, LATER_MS).facts]
        for one in (payment, hot, read_back)
    ]
    assert told[0] == told[1] == told[2]
