"""Records for people: decoded, without card numbers; dead letters by reason, and back again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from headgate.dashboard.dead_letters import TOO_LARGE, grouped, letter_of, replayed, same
from headgate.dashboard.readable import CHARACTERS_MAX, readable
from headgate.dashboard.records import AskedWrongly, asked_of, newest_first, older_of, record_at
from headgate.streams.bus import Record
from headgate.streams.codec import dead_letter
from headgate.streams.connection import Position
from headgate.streams.log_reader import Extent, Seen
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables.dead_letters import Handled

SETTINGS = Settings(namespace="n")
CAPTURE = (
    b'{"type": "payment.capture", "command_id": "cmd_1", "payment_id": "pay_1", "mode": "test",'
    b' "merchant_id": "mer_1", "fingerprint": "f", "request_id": "req_1"}'
)


def record(value: bytes | None, topic: str = "payments.commands", **headers: bytes) -> Record:
    return Record(f"n.{topic}", 2, b"pay_1", value, tuple(headers.items()), 5)


def died(reason: str, value: bytes = b"{}", offset: int = 7, at_ms: int = 1000) -> Seen:
    letter = dead_letter(PAYMENT_COMMANDS, SETTINGS, record(value, v=b"1"), offset, reason)
    return Seen(Position(letter.topic, 2, offset), at_ms, letter)


def test_a_record_is_read_by_the_model_of_its_topic() -> None:
    said = readable("payments.commands", record(CAPTURE))
    assert (said.kind, said.problem, said.payment_id) == ("command payment.capture", "", "pay_1")
    assert '\n  "command_id": "cmd_1"' in said.text


def test_what_waits_or_is_dead_is_read_as_what_it_was() -> None:
    waits = record(CAPTURE, "delay.1m", target=b"n.payments.commands")
    assert readable("delay.1m", waits).kind == "command payment.capture"
    dead = record(CAPTURE, "payments.commands.dead")
    assert readable("payments.commands.dead", dead).kind == "command payment.capture"


def test_what_cannot_be_read_is_shown_all_the_same_and_no_card_number_is() -> None:
    said = readable("payments.commands", record(b"\xff\0 4111111111111111"))
    assert said.kind == "unreadable"
    assert said.problem
    assert said.text == "\ufffd\ufffd ************1111"
    said = readable(
        "payments.facts", record(b'{"a": "4111-1111-1111-1111"}', v=b"4242424242424242")
    )
    assert "1111-1111" not in said.text
    assert said.headers == (("v", "************4242"),)
    assert readable("no.such.topic", record(b"{}")).kind == "unreadable"
    assert readable("payments.facts", record(None)).kind == "tombstone"
    long = readable("payments.facts", record(b"x" * 2 * CHARACTERS_MAX)).text
    assert len(long) < CHARACTERS_MAX + 100


def test_letters_are_grouped_by_reason_without_ids_and_numbers() -> None:
    assert same("no payment pay_abcdefgh12 at 17") == "no payment … at …"
    seen = [
        died("no payment pay_abcdefgh12", offset=1, at_ms=10),
        died("no payment pay_zyxwvuts98", offset=2, at_ms=30),
        died("amount: missing", offset=3, at_ms=90),
    ]
    letters = [letter_of(one, "n.") for one in seen]
    gone = Handled("discarded", "operator:opr_1", "n", None, datetime(2026, 1, 1, tzinfo=UTC))
    unknown, amount = grouped(letters, {letters[2].spot: gone})
    assert (unknown.reason, unknown.open, unknown.first_ms, unknown.last_ms) == (
        "no payment …", 2, 10, 30,
    )  # fmt: skip
    assert (amount.reason, amount.open) == ("amount: missing", 0)
    assert str(letters[0].spot) == "payments.commands.dead/2@1"
    assert letters[0].origin == "payments.commands/2@1"


def test_a_replayed_letter_is_the_record_that_died() -> None:
    again = replayed(died("why", CAPTURE), SETTINGS)
    assert again is not None
    assert (again.topic, again.partition, again.key, again.value) == (
        "n.payments.commands", 2, b"pay_1", CAPTURE,
    )  # fmt: skip
    names = [name for name, _ in again.headers if not name.startswith("ce_")]
    assert names == ["v", "content-type", "x-replayed-from"]


def test_a_letter_goes_to_no_topic_but_ours_and_not_without_its_record() -> None:
    forged = Record("n.payments.commands.dead", 0, b"k", b"{}", (("x-origin-topic", b"theirs"),))
    again = replayed(Seen(Position(forged.topic, 0, 0), 0, forged), SETTINGS)
    assert again is not None
    assert again.topic == "n.payments.commands"
    large = Record(forged.topic, 0, b"k", None, ((TOO_LARGE, b"1"),))
    assert replayed(Seen(Position(forged.topic, 0, 0), 0, large), SETTINGS) is None


def at(offset: int, at_ms: int, partition: int = 0) -> Seen:
    return Seen(Position("t", partition, offset), at_ms, Record("t", partition, b"k", b""))


def test_a_page_leaves_no_record_out_between_two_that_it_shows() -> None:
    seen = [at(1, 10), at(2, 90), at(3, 20), at(7, 50, 1)]
    shown = newest_first(seen)
    assert [(one.position.partition, one.position.offset) for one in shown] == [
        (1, 7), (0, 3), (0, 2), (0, 1),
    ]  # fmt: skip
    spans = {("t", 0): Extent(0, 4), ("t", 1): Extent(5, 8), ("t", 2): Extent(3, 9)}
    assert older_of(spans, seen, shown[:2]) == {("t", 0): 3, ("t", 1): 5, ("t", 2): 3}
    assert older_of(spans, seen, shown[:1]) == {("t", 0): 4, ("t", 1): 5, ("t", 2): 3}


@pytest.mark.parametrize(
    "query",
    [
        {"topic": "theirs"},
        {"partition": "8"},
        {"partition": "-1"},
        {"offset": "1"},
        {"partition": "0", "offset": "9" * 19},
        {"until": "soon"},
        {"until": "1969-12-31"},
        {"below": "1.x"},
    ],
)
def test_what_cannot_be_looked_for_is_said(query: dict[str, str]) -> None:
    with pytest.raises(AskedWrongly):
        asked_of(query, SETTINGS)


class _Nothing:
    """A log that must not be asked."""

    async def one(self, topic: str, partition: int, offset: int) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    "said", [("0", "9" * 5000), ("9" * 5000, "0"), ("0", "-1"), ("x", "0"), ("0", "\u0661")]
)
async def test_an_address_without_numbers_names_no_record(said: tuple[str, str]) -> None:
    reader: Any = _Nothing()
    assert await record_at(reader, "t", {"partition": said[0], "offset": said[1]}) is None


def test_a_time_without_an_offset_is_utc() -> None:
    assert asked_of({"until": "1970-01-01 00:01"}, SETTINGS).until_ms == 60_000
    assert asked_of({"until": "1970-01-01T01:01+01:00"}, SETTINGS).until_ms == 60_000
