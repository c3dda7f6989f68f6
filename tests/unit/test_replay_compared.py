"""Recorded decisions against today's: what differs is named, what cannot be compared is counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import orjson
import pytest

from headgate.replay import differences, fold
from headgate.replay.compared import Comparison, compared
from headgate.replay.decisions import Recording
from headgate.replay.fold import folded
from headgate.replay.recorded import Recorded, SourceUnreadable
from headgate.streams.commands import CapturePayment, Command, RefundPayment
from headgate.tables import payments
from headgate.tables.payment import Payment
from headgate.tables.payments import Decision
from tests.unit.builders import asks, create
from tests.unit.replay_lives import command_record, life, recorded


def verified(source: Iterable[Recorded]) -> Comparison:
    """Today's code against the source."""
    recording = Recording()
    for record in source:
        recording.add(record)
    return compared(recording.asked(), recording.decisions, folded(recording.commands))


def changed(record: Recorded, **members: object) -> Recorded:
    """A record with other members in its value."""
    return replace(record, value=orjson.dumps(orjson.loads(record.value or b"") | members))


def facts_of(source: list[Recorded]) -> list[int]:
    """Where facts are in a source."""
    return [place for place, one in enumerate(source) if one.topic == "payments.facts"]


@pytest.mark.parametrize("operations", [True, False])
def test_today_s_code_against_its_own_recording_differs_in_nothing(operations: bool) -> None:
    comparison = verified(recorded(life(), operations=operations))
    assert comparison.same
    assert not comparison.differences
    assert (comparison.payments, comparison.commands) == (1, 4)
    assert comparison.facts >= 5
    assert comparison.only_facts is not operations
    assert comparison.not_recorded_yet == 0


def test_a_mutated_fact_is_told_with_its_command_and_its_members() -> None:
    source = recorded(life())
    first = facts_of(source)[0]
    fact = orjson.loads(source[first].value or b"")
    fact["data"]["payment"]["amount"] = 1
    source[first] = replace(source[first], value=orjson.dumps(fact))
    (difference,) = verified(source).differences
    assert difference.what == "fact"
    assert difference.sequence == 1
    assert difference.command is not None
    assert difference.command.type == "payment.create"
    (change,) = difference.changes
    assert change.told() == "data.payment.amount: recorded 1, today 50000"
    lines = list(differences.told([difference], 10))
    assert lines[0] == f"payment {difference.payment_id}"
    assert "payment.create" in lines[1]
    assert "fact 1 (payment.created)" in lines[1]


def test_the_same_json_in_other_bytes_differs() -> None:
    source = recorded(life())
    first = facts_of(source)[0]
    spaced = (source[first].value or b"").replace(b'":', b'": ', 1)
    source[first] = replace(source[first], value=spaced)
    (difference,) = verified(source).differences
    assert difference.changes[0].path.startswith("the same JSON in other bytes")


def test_a_rule_that_changed_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    source = recorded(life())

    def stricter(payment: Payment | None, command: Command, at_ms: int) -> Decision:
        if isinstance(command, RefundPayment):
            return Decision(payment, refusal=payments.Refusal("no_refunds", "Not any more."))
        return payments.decide(payment, command, at_ms)

    monkeypatch.setattr(fold, "decide", stricter)
    comparison = verified(source)
    assert not comparison.same
    said = [one.said for one in comparison.differences]
    assert "recorded: decided; today: refused with no_refunds" in said
    assert any(text.endswith("was recorded, and today's code does not tell it") for text in said)
    told = [one for one in comparison.differences if one.what == "fact"]
    assert {one.command and one.command.type for one in told} == {"payment.refund"}


def test_a_bug_is_listed_as_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    source = recorded(life())

    def broken(payment: Payment | None, command: Command, at_ms: int) -> Decision:
        if isinstance(command, RefundPayment):
            raise ZeroDivisionError
        return payments.decide(payment, command, at_ms)

    monkeypatch.setattr(fold, "decide", broken)
    said = [one.said for one in verified(source).differences if one.what == "status"]
    assert (
        "recorded: decided; today: not decided, a dead letter (quarantined: ZeroDivisionError)"
        in said
    )


def test_a_call_to_the_bank_and_an_answer_that_changed_are_listed() -> None:
    source = recorded(life())
    for place, one in enumerate(source):
        if one.topic == "operations" and one.offset == 0:
            source[place] = changed(one, requests=[])
        if one.topic == "operations" and one.offset == 2:
            source[place] = changed(one, result='{"status":"done"}')
    found = verified(source).differences
    assert [one.what for one in found] == ["requests", "answer"]
    assert [one.command and one.command.type for one in found] == [
        "payment.create", "payment.refund",
    ]  # fmt: skip


def test_a_payment_that_began_before_is_counted_and_not_compared() -> None:
    source = recorded(life())
    source = [one for one in source if not (one.topic == "payments.commands" and one.offset == 0)]
    comparison = verified(source)
    assert (comparison.begun_before, comparison.payments, comparison.differing) == (1, 0, 0)


def test_facts_of_a_payment_without_a_command_are_counted_as_begun_before() -> None:
    source = [one for one in recorded(life()) if one.topic == "payments.facts"]
    assert verified(source).begun_before == 1


def test_a_second_create_alone_says_nothing() -> None:
    source = recorded([*life(), command_record(create(command_id="cmd_again"), 4)])
    source = [one for one in source if one.offset == 4 and one.topic != "payments.facts"]
    comparison = verified(source)
    assert (comparison.begun_before, comparison.differing) == (1, 0)


@pytest.mark.parametrize(("operations", "behind"), [(True, 2), (False, 1)])
def test_commands_behind_the_recording_s_end_are_counted(operations: bool, behind: int) -> None:
    """Without operations a refusal behind the end cannot be told from one before it."""
    known = recorded(life()[:2], operations=operations)
    comparison = verified([*known, *life()[2:]])
    assert comparison.same
    assert (comparison.commands, comparison.not_recorded_yet) == (4 - behind, behind)


def test_what_a_worker_decides_behind_the_source_s_end_is_left_out() -> None:
    recording = Recording()
    for record in recorded(life()[:3]):
        recording.add(record)
    today = folded(life())  # as if the last command were a reminder that is sent at once
    known = list(recording.asked())
    today.tell(known[0].payment_id, 99, b'{"type":"refund.processed"}')
    assert compared(known, recording.decisions, today).same


def test_a_command_twice_on_the_log_is_decided_once() -> None:
    again = replace(life()[0], offset=4)
    comparison = verified([*recorded(life()), again])
    assert comparison.same
    assert comparison.commands == 4


def test_a_fact_that_was_told_twice_with_other_bytes_is_listed() -> None:
    source = recorded(life())
    first = source[facts_of(source)[0]]
    comparison = verified([*source, first, changed(first, sequence=1, event="other")])
    assert [one.what for one in comparison.differences] == ["repeat"]


def test_a_fact_that_cannot_be_read_is_refused_with_its_place() -> None:
    bad = replace(life()[0], topic="payments.facts", offset=7, value=b"[]")
    with pytest.raises(SourceUnreadable, match=r"payments\.facts/0@7 cannot be compared"):
        verified([bad])


def test_what_is_no_command_is_left_out() -> None:
    noise = replace(life()[0], offset=9, value=b"\xff")
    assert verified([*recorded(life()), noise]).same


def test_a_command_that_today_s_models_refuse_is_a_difference() -> None:
    source = recorded(life())
    at = next(place for place, one in enumerate(source) if one.offset == 2)
    source[at] = changed(source[at], amount="twenty")
    said = [one.said for one in verified(source).differences if one.what == "status"]
    assert len(said) == 1
    assert "today: not decided, a dead letter" in said[0]


def test_a_command_that_was_a_dead_letter_and_is_one_again_is_the_same() -> None:
    strange = changed(life()[2], amount="twenty", command_id="cmd_strange")
    assert verified(recorded([*life(), replace(strange, offset=4)])).same


def test_a_capture_of_nothing_that_is_held_is_the_same_refusal() -> None:
    late = command_record(asks(CapturePayment, create()), 4)
    assert verified(recorded([*life(), late])).same
