"""Plans of a replay: due times by shape, which never wait for an answer."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.replay.pace import AsFast, AsRecorded, Pace, Shaped
from headgate.replay.shapes import Burst, Ramp, Shape, Stairs, Steady

rates = st.floats(0.5, 5000)
shapes: st.SearchStrategy[Shape] = st.one_of(
    st.builds(Steady, rates),
    st.builds(Ramp, st.floats(0, 5000), rates, st.floats(0.5, 100)),
    st.builds(Stairs, rates, st.integers(1, 12), st.floats(0.5, 30)),
    st.builds(Burst, rates, st.integers(1, 500), st.floats(0.5, 30)),
)


@given(shapes, st.integers(0, 20_000))
def test_no_step_is_due_before_the_one_before_it(shape: Shape, first: int) -> None:
    due = [shape.due_s(number) for number in range(first, first + 50)]
    assert due[0] >= 0
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(due))


def counted(shape: Shape, from_s: float, to_s: float) -> int:
    """How many steps are due in a stretch of time."""
    due = itertools.takewhile(lambda at: at < to_s, map(shape.due_s, itertools.count()))
    return sum(at >= from_s for at in due)


def test_a_steady_load_is_its_rate() -> None:
    assert counted(Steady(50), 0, 10) == 500


def test_a_ramp_grows_evenly_and_then_stays() -> None:
    ramp = Ramp(0, 100, 10)
    assert counted(ramp, 0, 10) == pytest.approx(500, abs=2)
    assert counted(ramp, 4.5, 5.5) == pytest.approx(50, abs=2)
    assert counted(ramp, 20, 21) == pytest.approx(100, abs=1)


def test_a_ramp_may_fall() -> None:
    ramp = Ramp(100, 10, 10)
    assert counted(ramp, 0, 10) == pytest.approx(550, abs=2)
    assert counted(ramp, 20, 30) == pytest.approx(100, abs=2)


def test_stairs_are_even_each_and_end_at_the_rate() -> None:
    stairs = Stairs(80, 4, 5)
    found = [counted(stairs, start, start + 5) for start in (0, 5, 10, 15, 20)]
    assert found == [100, 200, 300, 400, 400]


def test_a_burst_comes_at_one_moment_on_top_of_the_rate() -> None:
    burst = Burst(10, 50, 5)
    assert [counted(burst, second, second + 1) for second in range(7)] == [
        10, 10, 10, 10, 10, 60, 10,
    ]  # fmt: skip
    assert [burst.due_s(number) for number in (50, 99)] == [5, 5]


def test_recorded_gaps_are_kept_and_divided() -> None:
    assert AsRecorded(1000).due_s(0, 3500) == 2.5
    assert AsRecorded(1000, 10).due_s(0, 3500) == 0.25
    assert AsRecorded(1000).due_s(0, 900) == 0  # written out of order
    unplanned: Pace = AsFast()
    assert unplanned.due_s(0, 3500) is None


@pytest.mark.parametrize(
    ("pace", "words"),
    [
        (AsRecorded(0, 10), "x10"),
        (AsFast(), "as fast as it goes"),
        (Shaped(Steady(500)), "500/s"),
        (Shaped(Ramp(1, 800, 60)), "ramp from 1/s to 800/s in 60 s"),
        (Shaped(Stairs(800, 8, 10)), "8 steps of 10 s up to 800/s"),
        (Shaped(Burst(50, 500, 30)), "50/s, and 500 at once every 30 s"),
    ],
)
def test_a_pace_says_itself_in_words(pace: object, words: str) -> None:
    assert str(pace) == words
