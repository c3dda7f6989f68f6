"""The window of a delay topic's partition: order, commit, and the ways out of it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.agents.delay_window import Parked, Window, opened
from headgate.streams.bus import Record
from headgate.streams.delays import SLACK_MS_MAX, delayed, look_at_ms
from headgate.streams.errors import CannotDecode
from headgate.streams.settings import Settings
from headgate.streams.topics import TIERS, WEBHOOKS_READY

READY = Record("webhooks.ready", 2, b"key", b"value", (("v", b"1"),))
NOW = 1_800_000_000_000
SECOND, DAY = TIERS[0], TIERS[-1]


def parked(offset: int, due_ms: int) -> Parked:
    return Parked(due_ms, offset, due_ms, READY)


def window_of(*dues: int, size: int = 500) -> Window:
    window = Window(SECOND, size)
    window.start(0, "")
    for offset, due_ms in enumerate(dues):
        window.take(parked(offset, due_ms))
    return window


def test_records_leave_by_due_time_and_the_commit_is_the_contiguous_prefix_08_r26() -> None:
    window = window_of(30, 10, 20)
    assert [one.offset for one in window.due(20)] == [1, 2]
    window.finish(1)
    window.finish(2)
    assert window.commit()[0] == 0
    assert [one.offset for one in window.due(30)] == [0]
    window.finish(0)
    assert window.commit() == (3, "")


def test_nothing_leaves_before_its_time_08_r26() -> None:
    assert window_of(30, 10).due(9) == []


def test_a_hand_off_that_failed_is_due_again() -> None:
    window = window_of(10)
    for one in window.due(10):
        window.put_back(one)
    assert [one.offset for one in window.due(10)] == [0]


def test_what_was_handed_off_out_of_order_is_not_repeated_after_a_crash() -> None:
    before = window_of(30, 10, 20)
    for one in before.due(20):
        before.finish(one.offset)
    after = Window(SECOND, 500)
    after.start(*before.commit())
    assert not after.skip(0)
    after.take(parked(0, 30))
    assert after.skip(1)
    assert after.skip(2)
    assert [one.offset for one in after.due(100)] == [0]
    after.finish(0)
    assert after.commit() == (3, "")


def test_the_note_of_somebody_else_is_ignored() -> None:
    window = Window(SECOND, 500)
    window.start(7, "not ours")
    assert window.commit() == (7, "")


@given(st.randoms(use_true_random=False), st.integers(1, 60), st.integers(0, 60))
def test_every_record_leaves_exactly_once_wherever_the_crash_08_r26(
    rng: random.Random, count: int, crash_after: int
) -> None:
    dues, left = [rng.randrange(100) for _ in range(count)], []
    window = window_of(*dues)
    for one in window.due(rng.randrange(100))[:crash_after]:
        window.finish(one.offset)
        left.append(one.offset)
    position, note = window.commit()
    again = Window(SECOND, 500)
    again.start(position, note)
    for offset in range(position, count):
        if not again.skip(offset):
            again.take(parked(offset, dues[offset]))
    for one in again.due(100):
        again.finish(one.offset)
        left.append(one.offset)
    assert sorted(left) == list(range(count))
    assert again.commit() == (count, "")


def test_a_far_off_record_does_not_block_the_ones_behind_it() -> None:
    window = window_of(9_000, 10, 10, 10, size=4)
    assert window.full
    for one in window.due(10):
        window.finish(one.offset)
    assert not window.roomy
    assert [one.offset for one in window.due(11)] == [0]
    window.finish(0)
    assert window.roomy


def test_jitter_up_to_the_slack_is_one_hop() -> None:
    assert look_at_ms(SECOND, NOW + 1100, NOW, NOW) == NOW + 1100
    assert look_at_ms(SECOND, NOW + 1101, NOW, NOW) == NOW + 1100


def test_a_long_tier_holds_little_longer_than_itself() -> None:
    assert look_at_ms(DAY, NOW + 2 * DAY.delay_ms, NOW, NOW) == NOW + DAY.delay_ms + SLACK_MS_MAX


@pytest.mark.parametrize("skew_ms", [-600_000, 600_000])
def test_a_writer_with_a_wrong_clock_blocks_a_partition_no_longer_than_the_tier(
    skew_ms: int,
) -> None:
    looked_at = look_at_ms(SECOND, NOW + skew_ms + 1000, NOW + skew_ms, NOW)
    assert looked_at <= NOW + 1100


def test_what_leaves_is_what_went_in() -> None:
    settings = Settings()
    waiting = delayed(READY, NOW + 5000, NOW, settings)
    assert waiting.topic == "delay.5s"
    assert opened(waiting, {READY.topic}) == (READY, NOW + 5000)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("not-before", b"1"),),
        (("target", b"webhooks.ready"),),
        (("target", b"webhooks.ready"), ("not-before", b"soon")),
        (("target", b"webhooks.ready"), ("not-before", b"-1")),
        (("target", b"webhooks.ready"), ("not-before", b"9" * 16)),
        (("target", b"nowhere"), ("not-before", b"1")),
        (("target", None), ("not-before", b"1")),
        (("target", b"webhooks.ready"), ("not-before", None)),
    ],
)
def test_headers_that_say_neither_where_nor_when_are_refused(
    headers: tuple[tuple[str, Any], ...],
) -> None:
    record = Record("delay.1s", 0, b"", b"", headers)
    with pytest.raises(CannotDecode):
        opened(record, {WEBHOOKS_READY.name})
