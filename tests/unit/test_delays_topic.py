"""Which delay topic a record waits in, and that nothing of it changes on the way (08 R26)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.streams.connection import Record
from headgate.streams.delays import NOT_BEFORE, TARGET, delayed, tier_at, tier_for
from headgate.streams.settings import Settings
from headgate.streams.topics import TIERS

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("remaining_ms", "label"),
    [
        (0, "1s"),
        (999, "1s"),
        (1000, "1s"),
        (4999, "1s"),
        (5000, "5s"),
        (29_999, "5s"),
        (30_000, "30s"),
        (60_000, "1m"),
        (300_000, "5m"),
        (1_800_000, "30m"),
        (7_200_000, "2h"),
        (21_600_000, "6h"),
        (DAY_MS - 1, "6h"),
        (DAY_MS, "24h"),
        (30 * DAY_MS, "24h"),
    ],
)
def test_the_longest_tier_that_does_not_overshoot_is_taken(remaining_ms: int, label: str) -> None:
    assert tier_for(remaining_ms).label == label


@given(st.integers(1000, 10 * DAY_MS))
def test_a_tier_never_holds_a_record_longer_than_it_has_left(remaining_ms: int) -> None:
    assert tier_for(remaining_ms).delay_ms <= remaining_ms


def test_there_are_nine_tiers_shortest_first() -> None:
    delays = [tier.delay_ms for tier in TIERS]
    assert len(delays) == 9
    assert delays == sorted(delays)


def test_a_delay_topic_outlives_its_delay_by_a_week() -> None:
    assert all(tier.topic.retention_ms == tier.delay_ms + 7 * DAY_MS for tier in TIERS)


def test_a_delayed_record_is_the_same_record_with_its_time_and_target() -> None:
    record = Record("replay.acquirer.requests", 5, b"pay_1", b"{}", (("v", b"1"),))
    waiting = delayed(record, 61_000, 0, Settings(namespace="replay"))
    assert waiting == Record(
        "replay.delay.1m",
        5,
        b"pay_1",
        b"{}",
        (("v", b"1"), (NOT_BEFORE, b"61000"), (TARGET, b"replay.acquirer.requests")),
    )


@pytest.mark.parametrize("not_before_ms", [0, 999, 1000])
def test_a_record_that_is_due_waits_nowhere(not_before_ms: int) -> None:
    record = Record("acquirer.requests", 0, b"k", b"v")
    assert delayed(record, not_before_ms, 1000, Settings()) is record


@pytest.mark.parametrize(
    ("now_ms", "label"),
    [
        (0, "30m"),
        (1_829_999, "30m"),
        (1_830_000, "1m"),
        (1_895_999, "1m"),
        (1_899_999, "1s"),
        (1_900_000, None),
    ],
)
def test_where_a_record_waits_can_be_told_at_any_time(now_ms: int, label: str | None) -> None:
    tier = tier_at(1_900_000, 0, now_ms)
    assert (tier and tier.label) == label


@given(st.integers(1, 3 * DAY_MS), st.integers(0, 3 * DAY_MS))
def test_a_record_waits_somewhere_until_it_is_due(wait_ms: int, now_ms: int) -> None:
    assert (tier_at(wait_ms, 0, now_ms) is None) == (now_ms >= wait_ms)
