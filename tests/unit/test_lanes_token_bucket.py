"""The token bucket: as many as the rate allows, half as many for a receiver that complains."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.agents.token_bucket import RATE_MIN_PER_S, TokenBucket


def bucket(rate_per_s: int | None) -> TokenBucket:
    made = TokenBucket()
    made.limit_to(rate_per_s)
    return made


def test_without_a_limit_everything_goes() -> None:
    free = bucket(None)
    assert all(free.take(1.0) for _ in range(1000))
    assert (free.unlimited, free.wait_s(1.0)) == (True, 0.0)


def test_a_second_of_tokens_may_go_at_once_then_the_rate_holds() -> None:
    ten = bucket(10)
    ten.take(0.0)
    assert sum(ten.take(100.0) for _ in range(50)) == 10
    assert ten.wait_s(100.0) == pytest.approx(0.1)
    assert not ten.take(100.09)
    assert ten.take(100.11)


@given(st.integers(1, 50), st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_no_span_has_more_than_its_tokens_and_a_second_more(rate: int, pauses: list[float]) -> None:
    limited, now, given_out = bucket(rate), 1000.0, 0
    for pause in pauses:
        now += pause
        given_out += sum(limited.take(now) for _ in range(2 * rate))
    assert given_out <= (now - 1000.0) * rate + rate + 1


def test_waiting_as_long_as_told_is_enough() -> None:
    slow = bucket(1)
    assert slow.take(5.0)
    assert slow.take(5.0 + slow.wait_s(5.0) + 1e-9)


def test_a_complaint_halves_the_rate_once_per_burst() -> None:
    free = bucket(None)
    for _ in range(8):
        free.halve(100.0, seen_per_s=40)
    assert free.rate(100.0) == 20
    free.halve(101.5, seen_per_s=20)
    assert free.rate(101.5) == 10
    assert not free.take(101.5) or free.rate(101.5) == 10


def test_the_slowest_is_one_in_ten_seconds() -> None:
    free = bucket(None)
    for number in range(30):
        free.halve(100.0 + 2 * number, seen_per_s=0)
    assert free.rate(160.0) == RATE_MIN_PER_S


def test_without_complaints_it_doubles_until_it_is_what_it_was() -> None:
    limited = bucket(8)
    limited.halve(100.0, seen_per_s=3)
    limited.halve(102.0, seen_per_s=3)
    assert [limited.rate(at) for at in (102.0, 131.0, 132.0, 161.0, 162.0)] == [2, 2, 4, 4, 8]
    free = bucket(None)
    free.halve(100.0, seen_per_s=8)
    assert (free.rate(129.0), free.rate(130.0), free.unlimited) == (4, None, True)


def test_a_stricter_configuration_holds_while_halved_too() -> None:
    limited = bucket(100)
    limited.halve(100.0, seen_per_s=0)
    limited.limit_to(5)
    assert limited.rate(100.0) == 5


def test_what_gets_through_lifts_a_halved_rate_little_by_little() -> None:
    free = bucket(None)
    free.halve(100.0, seen_per_s=8)
    free.got_through(100.2)
    assert free.rate(100.2) == pytest.approx(4.4)
    free.got_through(100.25)  # a burst lifts it once
    assert free.rate(100.25) == pytest.approx(4.4)
    for number in range(1, 10):
        free.got_through(100.25 + number)
    assert (free.rate(110.0), free.unlimited) == (None, True)


def test_a_receiver_that_complains_of_every_tenth_attempt_is_not_slowed_down_for_good() -> None:
    """Raised by time alone, such a lane once made an attempt in five seconds."""
    free, now = bucket(None), 100.0
    for number in range(1, 301):
        rate = free.rate(now)
        now += 1 / min(rate or 10, 10)
        if number % 10:
            free.got_through(now)
        else:
            free.halve(now, seen_per_s=10)
    assert now - 100 < 90
    assert (free.rate(now) or 10) > 2
