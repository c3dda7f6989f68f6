"""The breaker: when it opens, one probe at a time, and what closes it (04 §9.6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.agents.breaker import Breaker, BreakerRules
from headgate.streams.settings import Settings

RULES = BreakerRules.of(Settings())


def opened() -> Breaker:
    breaker = Breaker(RULES)
    for _ in range(5):
        breaker.failed(100.0, probe=False)
    return breaker


def test_five_failures_in_a_row_open_it() -> None:
    breaker = Breaker(RULES)
    for number in range(5):
        assert breaker.admits(100.0) == "go", number
        breaker.failed(100.0, probe=False)
    assert breaker.open
    assert breaker.admits(100.0) == "shut"


def test_a_success_in_between_begins_the_row_anew() -> None:
    breaker = Breaker(RULES)
    for _ in range(3):
        for _ in range(4):
            breaker.failed(100.0, probe=False)
        breaker.succeeded(100.0, probe=False)
    assert not breaker.open


@pytest.mark.parametrize(("attempts", "is_open"), [(19, False), (20, True)])
def test_half_of_at_least_twenty_within_the_window_open_it(attempts: int, is_open: bool) -> None:
    breaker = Breaker(RULES)
    for number in range(attempts):
        if number % 2:
            breaker.failed(100.0 + number, probe=False)
        else:
            breaker.succeeded(100.0 + number, probe=False)
    assert breaker.open is is_open


def test_what_is_older_than_the_window_does_not_count() -> None:
    breaker = Breaker(RULES)
    for number in range(200):
        at = 1000.0 * number  # one attempt in a quarter of an hour
        breaker.failed(at, probe=False) if number % 2 else breaker.succeeded(at, probe=False)
    assert not breaker.open


def test_one_probe_goes_after_30_s_and_the_wait_doubles_up_to_10_min() -> None:
    breaker, now, waits = opened(), 100.0, []
    for _ in range(7):
        assert breaker.probe_at is not None
        waits.append(breaker.probe_at - now)
        now = breaker.probe_at
        assert breaker.admits(now - 0.001) == "shut"
        assert breaker.admits(now) == "probe"
        breaker.begin_probe()
        assert breaker.admits(now + 5) == "shut", "one at a time"
        now += 5
        breaker.failed(now, probe=True)
    assert waits == [30, 60, 120, 240, 480, 600, 600]


def test_a_probe_that_gets_through_closes_it_and_nothing_is_left_behind() -> None:
    breaker = opened()
    breaker.begin_probe()
    breaker.succeeded(131.0, probe=True)
    assert breaker.admits(131.0) == "go"
    for _ in range(4):
        breaker.failed(132.0, probe=False)
    assert not breaker.open
    breaker.failed(132.0, probe=False)
    assert breaker.probe_at == 162.0, "the wait begins anew"


def test_what_was_under_way_when_it_opened_neither_closes_it_nor_moves_the_probe() -> None:
    breaker = opened()
    breaker.succeeded(101.0, probe=False)
    breaker.failed(105.0, probe=False)
    assert breaker.probe_at == 130.0


def test_an_abandoned_probe_leaves_room_for_the_next() -> None:
    breaker = opened()
    breaker.begin_probe()
    breaker.abandoned()
    assert breaker.admits(130.0) == "probe"


def test_a_lane_that_was_open_elsewhere_is_probed_at_once() -> None:
    breaker = Breaker(RULES)
    breaker.reopen(50.0)
    assert breaker.admits(50.0) == "probe"
    late = opened()
    late.reopen(101.0)
    assert late.admits(101.0) == "shut"


@given(st.lists(st.tuples(st.sampled_from(["ok", "failed"]), st.integers(0, 40)), max_size=150))
def test_whatever_happens_it_is_never_shut_for_longer_than_the_longest_wait(
    history: list[tuple[str, int]],
) -> None:
    breaker, now = Breaker(RULES), 0.0
    for what, passed in history:
        now += passed
        admitted = breaker.admits(now)
        if admitted == "shut":
            assert breaker.probe_at is not None
            assert breaker.probe_at - now <= RULES.wait_max_s
            continue
        if admitted == "probe":
            breaker.begin_probe()
        (breaker.succeeded if what == "ok" else breaker.failed)(now, probe=admitted == "probe")
    assert breaker.admits(now + RULES.wait_max_s) != "shut"
