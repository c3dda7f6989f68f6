"""Records in one line: for people and for tools, without card numbers, harmless to a terminal."""

from __future__ import annotations

import json

import pytest

from headgate.cli.capture import progress, warning
from headgate.replay.capturing import Captured
from headgate.replay.card_check import without_card_numbers
from headgate.replay.record_lines import Choice, json_of, line_of, selecting_nothing
from headgate.replay.recorded import Recorded
from tests.unit.recorded_setting import a_record

CARD = "4111 1111 1111 1111"
FACT = {
    "type": "refund.processed",
    "sequence": 7,
    "data": {
        "payment": {"amount": 50_000, "currency": "INR", "state": "captured", "merchant_id": "m1"},
        "refund": {"amount": 1_050, "currency": "INR", "state": "succeeded"},
    },
}
COMMAND = {
    "type": "payment.create", "payment_id": "pay_1", "merchant_id": "m2", "amount": 1000,
    "currency": "JPY", "method": "card",
}  # fmt: skip
ANSWER = {
    "type": "acquirer.answer", "payment_id": "pay_1", "outcome": "declined", "amount": 5,
    "operation": "capture", "decline_code": "expired_card",
}  # fmt: skip
NOTICE = {
    "what": "held", "why": "open",
    "wanted": {"type": "payment.success", "payment_id": "pay_9", "merchant_id": "m3"},
}  # fmt: skip


def of(document: object, **more: object) -> Recorded:
    return a_record(17, 1_790_000_000_123, 3, **{"value": json.dumps(document).encode(), **more})


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (of(FACT), ["refund.processed", "pay_1", "#7", "10.50 INR", "succeeded"]),
        (of(COMMAND), ["payment.create", "pay_1", "1000 JPY", "card"]),
        (of(ANSWER), ["acquirer.answer", "5 minor units", "capture", "declined", "expired_card"]),
        (of(NOTICE, key=b"dlv_1"), ["payment.success", "pay_9", "held", "open"]),
        (of(None, value=None), ["tombstone", "pay_1"]),
        (of(None, value=b"\xff\x00", key=None), ["unreadable, 2 bytes"]),
        (of({}, headers=(("ce_type", b"x.y"),)), ["x.y"]),
        (of([1]), ["unreadable, 3 bytes"]),
    ],
)
def test_a_line_says_what_happened(record: Recorded, words: list[str]) -> None:
    line = line_of(record, colours=False)
    assert line.startswith("2026-09-21T14:13:20.123Z  ")
    assert line.endswith("payments.commands/3@17")
    at = 0
    for word in words:
        at = line.index(word, at)


def test_colours_tell_good_from_bad() -> None:
    assert "\x1b[32m" in line_of(of(FACT), colours=True)
    assert "\x1b[31m" in line_of(of(ANSWER), colours=True)
    assert "\x1b" not in line_of(of(ANSWER), colours=False)


def test_a_terminal_is_told_nothing_that_it_obeys() -> None:
    evil = of({"type": "a\x1b[2J\r\n", "state": "\x07"}, key=b"\x1b]0;x\x07")
    line = line_of(evil, colours=False)
    assert line.isprintable()


def test_json_is_one_line_with_the_records_own_json_in_it() -> None:
    pretty = json.dumps(FACT, indent=2).encode()
    line = json_of(of(None, value=pretty, headers=(("v", b"1"), ("bad", b"\xff"))))
    assert "\n" not in line
    assert json.loads(line) == {
        "topic": "payments.commands",
        "partition": 3,
        "offset": 17,
        "time": "2026-09-21T14:13:20.123Z",
        "type": "refund.processed",
        "key": "pay_1",
        "value": FACT,
        "headers": {"v": "1", "bad": {"base64": "/w=="}},
    }


@pytest.mark.parametrize(
    ("value", "told"), [(None, None), (b"no json", "no json"), (b"\xff", {"base64": "/w=="})]
)
def test_json_of_what_is_no_json(value: bytes | None, told: object) -> None:
    assert json.loads(json_of(a_record(value=value)))["value"] == told


@pytest.mark.parametrize("depth", [250, 300, 1000])
def test_json_of_what_is_nested_deep(depth: int) -> None:
    value = b"[" * depth + b"]" * depth
    told = json.loads(json_of(a_record(value=value)))["value"]
    assert told == (json.loads(value) if depth < 254 else value.decode())


@pytest.mark.parametrize("at_ms", [253_402_300_800_000, 2**63 - 1, -(2**62)])
def test_a_time_that_no_calendar_has_is_told_as_its_number(at_ms: int) -> None:
    record = a_record(1, at_ms)
    assert line_of(record, colours=False).startswith(f"{at_ms} ms  ")
    assert f"{at_ms} ms" in line_of(record, colours=True)
    assert json.loads(json_of(record))["time"] == f"{at_ms} ms"


@pytest.mark.parametrize("line", [json_of, lambda record: line_of(record, colours=False)])
def test_no_line_tells_a_card_number(line: object) -> None:
    record = of({"type": "x", "state": CARD}, key=CARD.encode())
    assert callable(line)
    told = line(record)
    assert CARD not in told
    assert "************1111" in told


@pytest.mark.parametrize(
    ("choice", "seen"),
    [
        (Choice(), [FACT, COMMAND, NOTICE]),
        (Choice(types=("refund.*",)), [FACT]),
        (Choice(types=("payment.*",)), [COMMAND, NOTICE]),
        (Choice(types=("payment.create", "refund.processed")), [FACT, COMMAND]),
        (Choice(merchants=frozenset({"m1", "m3"})), [FACT, NOTICE]),
        (Choice(types=("payment.*",), merchants=frozenset({"m1"})), []),
    ],
)
def test_a_choice_is_by_type_and_merchant(choice: Choice, seen: list[object]) -> None:
    assert [v for v in (FACT, COMMAND, NOTICE) if choice.wants(of(v))] == seen


def test_a_merchant_may_be_told_by_a_header() -> None:
    assert Choice(merchants=frozenset({"m"})).wants(of(1, headers=(("merchant-id", b"m"),)))


@pytest.mark.parametrize("wrong", [[1], {"a": 1}, 7, None, True])
def test_a_merchant_that_is_no_text_is_none(wrong: object) -> None:
    for document in ({"merchant_id": wrong}, {"data": {"payment": {"merchant_id": wrong}}}):
        assert not Choice(merchants=frozenset({"m"})).wants(of(document))
        headed = of(document, headers=(("merchant-id", b"m"),))
        assert Choice(merchants=frozenset({"m"})).wants(headed)


@pytest.mark.parametrize(
    ("topic", "types", "wrong"),
    [
        ("payments.facts", ["payment.*", "refund.failed"], None),
        ("payments.facts", ["payment.*", "payment.capture"], "payment.capture"),
        ("payments.commands", ["payment.capture", "acquirer.*"], None),
        ("payments.commands", ["payment.captured"], "payment.captured"),
        ("webhooks.events", ["webhook.test"], None),
        ("somebody.elses", ["anything"], None),
    ],
)
def test_a_misspelt_type_is_noticed(topic: str, types: list[str], wrong: str | None) -> None:
    assert selecting_nothing(topic, types) == wrong


NO_CARDS = [
    "1790000000123",  # a time in milliseconds
    '{"amount":500000,"created_at_ms":1790000000123}',
    "a8f4111111111111111be01" * 3,  # a hash
    "41111111-1111-4111-8111-111111111111",
    "00-4111111111111111aaaaaaaaaaaaaaaa-4111111111111111-01",
    "pay_abcdefghijklmno cmd_abcdefghijklmnopqrstuvwxyz",
    "4111111111111112",  # a wrong check digit
]
CARDS = [
    CARD,
    "4111111111111111",
    "note\\n4111-1111-1111-1111-and-more",
    "x4111111111111111",
    "41111111-1111-4111-8111-111111111111 4111111111111111",
]


@pytest.mark.parametrize("text", NO_CARDS)
def test_what_merely_looks_like_a_card_number_stays(text: str) -> None:
    record = a_record(key=text.encode(), value=text.encode(), headers=(("h", text.encode()),))
    assert without_card_numbers(record) is record


@pytest.mark.parametrize("text", CARDS)
@pytest.mark.parametrize("around", [b"%b", b'{"a":"%b"}', b"\xff\x00 %b \xfe"])
def test_a_card_number_is_starred_out_wherever_it_is(text: str, around: bytes) -> None:
    raw = around % text.encode()
    stars = (
        around
        % text.replace(CARD, "*" * 12 + "1111")
        .replace("4111-1111-1111-1111", "*" * 12 + "1111")
        .replace("4111111111111111", "*" * 12 + "1111")
        .encode()
    )
    record = a_record(key=raw, value=raw, headers=(("h", raw),))
    assert without_card_numbers(record) == a_record(key=stars, value=stars, headers=(("h", stars),))


def test_a_capture_tells_how_far_it_is() -> None:
    captured = Captured()
    assert progress(captured, None, 0) == "0 records, 0.0 MB, 0 a second"
    for offset in range(1000):
        captured.add(a_record(offset, 1000 + offset, value=b"x" * 992))
    assert progress(captured, 4000, 2) == "1,000 of 4,000 records (25 %), 1.0 MB, 500 a second"
    assert (captured.first_ms, captured.last_ms) == (1000, 1999)
    assert captured.by_topic == {"payments.commands": 1000}


def test_a_capture_tells_where_card_numbers_stood() -> None:
    captured = Captured()
    for offset in range(12):
        captured.star(a_record(offset, partition=3))
    said = warning(captured)
    assert "WARNING: 12 records held what looks like a card number" in said
    assert "payments.commands/3@0, " in said
    assert "payments.commands/3@9, 2 more." in said
