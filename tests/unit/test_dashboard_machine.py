"""The machine room's pure parts: rates, spans, what waits, words."""

from __future__ import annotations

import pytest

from headgate.dashboard.log_screen import kept, size, span
from headgate.dashboard.log_watch import delay_row, due_of, waiting_spans
from headgate.dashboard.rates import Rates, per_second
from headgate.dashboard.workers import ranges, silence
from headgate.streams.connection import Position, Record
from headgate.streams.delays import NOT_BEFORE, write_note
from headgate.streams.log_reader import Extent, Seen, newest
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS, TIERS, WEBHOOKS_READY, changelog_topic


def test_a_rate_is_taken_over_the_last_ten_seconds() -> None:
    rates = Rates()
    assert rates.per_s("a") is None
    for second in range(31):
        rates.note(second, {"a": min(second, 20) * 5})
    assert rates.per_s("a") == 0
    assert rates.per_s("b") is None
    rates.note(31, {"a": 150})
    assert rates.per_s("a") == 5


def test_a_rate_is_not_known_before_there_are_two_counts_or_after_counting_from_anew() -> None:
    rates = Rates()
    rates.note(0, {"a": 10})
    rates.note(0.5, {"a": 11})
    assert rates.per_s("a") is None
    rates.note(1, {"a": 3})
    assert rates.per_s("a") is None


def test_what_waits_is_what_the_pump_has_not_handed_off() -> None:
    extents = {("d", 0): Extent(2, 10), ("d", 1): Extent(0, 3), ("d", 2): Extent(5, 5)}
    commits = {("d", 0): (4, write_note([1, 2, 40])), ("d", 2): (9, "")}
    spans, gone = waiting_spans(extents, commits)
    assert spans == {("d", 0): Extent(4, 10), ("d", 1): Extent(0, 3), ("d", 2): Extent(5, 5)}
    assert gone == {("d", 0): {5, 6}, ("d", 1): set(), ("d", 2): set()}


def test_a_tier_is_overdue_by_its_first_record_and_only_while_one_waits() -> None:
    tier = TIERS[0]
    assert delay_row(tier, 2, 1000, 4500).overdue_ms == 3500
    assert delay_row(tier, 2, 1000, 900).overdue_ms == 0
    assert delay_row(tier, 0, 1000, 4500).due_ms is None


@pytest.mark.parametrize("raw", [b"", b"soon", b"1" * 16])
def test_a_record_that_does_not_say_when_is_due_at_no_time(raw: bytes) -> None:
    record = Record("d", 0, b"k", None, ((NOT_BEFORE, raw),))
    assert due_of(TIERS[0], Seen(Position("d", 0, 0), 0, record), 0) is None


def test_the_newest_offsets_of_each_partition() -> None:
    assert newest({("t", 0): Extent(0, 9), ("t", 1): Extent(8, 9)}, 3) == {
        ("t", 0): Extent(6, 9),
        ("t", 1): Extent(8, 9),
    }


def test_numbers_read_as_people_say_them() -> None:
    assert [per_second(rate) for rate in (None, 0.0, 0.44, 9.95, 1234.4)] == [
        "-", "0", "0.4/s", "9.9/s", "1,234/s",
    ]  # fmt: skip
    assert [size(count) for count in (0, 999, 1000, 12_345_678, 10**16)] == [
        "0 B", "999 B", "1.0 kB", "12 MB", "10000 TB",
    ]  # fmt: skip
    assert [span(ms) for ms in (400, 17_000, 300_000, 3 * 3_600_000, 5 * 86_400_000)] == [
        "0.4 s", "17 s", "5 min", "3 h", "5 d",
    ]  # fmt: skip
    assert [ranges(numbers) for numbers in ([], [4], [2, 0, 1, 6])] == ["", "4", "0-2, 6"]
    assert [silence(s) for s in (7.2, 61, 7300, 200_000)] == [
        f"no heartbeat for {words}" for words in ("7 s", "1 min", "2 h", "2 d")
    ]
    assert [kept(t) for t in (PAYMENT_COMMANDS, WEBHOOKS_READY, changelog_topic(Settings()))] == [
        "for ever", "7 d", "latest per key",
    ]  # fmt: skip
