"""One payment on the dashboard: the drawing, the amounts that people type, what is offered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.dashboard.payment_machine import HEIGHT, PLACES, WIDTH, machine
from headgate.streams.facts import State
from headgate.streams.money import AMOUNT_MAX, MINOR_DIGITS, from_words, in_words
from headgate.tables.payment import STATUS_OF
from headgate.tables.transitions import TRANSITIONS


def test_every_state_has_a_box_and_none_covers_another() -> None:
    assert set(PLACES) == set(STATUS_OF)
    places = list(PLACES.values())
    for number, (x, y) in enumerate(places):
        for other_x, other_y in places[number + 1 :]:
            assert abs(x - other_x) >= WIDTH or abs(y - other_y) >= HEIGHT


def test_the_drawing_marks_where_the_payment_is_and_how_it_came_there() -> None:
    states: list[State] = ["created", "processing", "processing", "authorized", "captured"]
    drawn = machine(states, "captured")
    kinds = {box.state: box.kind for box in drawn.boxes}
    assert kinds["captured"] == "now"
    assert {state for state, kind in kinds.items() if kind == "was"} == set(states) - {"captured"}
    assert [line.kind for line in drawn.lines].count("was") == 3


def test_whatever_the_table_lets_happen_is_drawn_and_said() -> None:
    drawn = machine(["created"], "created")
    moves = {
        (source, row.target)
        for row in TRANSITIONS
        for source in row.sources
        if row.target and row.target != source and not row.waits_for
    }
    assert {(way.source, way.target) for way in drawn.ways} == {
        (source or "nothing", target) for source, target in moves
    }
    assert len(drawn.lines) == sum(source is not None for source, _ in moves)


@given(st.integers(1, AMOUNT_MAX), st.sampled_from(sorted(MINOR_DIGITS)))
def test_an_amount_is_read_as_it_is_written(amount: int, currency: str) -> None:
    assert from_words(in_words(amount, currency).split()[0], currency) == amount


@pytest.mark.parametrize(
    ("text", "currency", "why"),
    [
        ("", "INR", "such as 12.00"),
        ("-5", "INR", "such as"),
        ("1.234", "INR", "such as"),
        ("1.", "INR", "such as"),
        ("5.5", "JPY", "such as 12"),
        ("1,000", "INR", "such as"),
        ("\u0661", "INR", "such as"),
        ("0.00", "INR", "more than nothing"),
        ("99999999999999", "INR", "more than a payment"),
        ("9" * 5000, "INR", "more than a payment"),
    ],
)
def test_what_is_no_amount_says_why(text: str, currency: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        from_words(text, currency)


def test_a_whole_number_is_whole_units() -> None:
    assert (from_words("12", "INR"), from_words(" 12.5 ", "INR")) == (1200, 1250)
