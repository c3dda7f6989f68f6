"""Numbers in addresses and forms: none is so long or so odd that it becomes a fault of ours."""

from __future__ import annotations

import pytest

from headgate.dashboard.whole_number import DIGITS_MAX, whole_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("007", 7),
        ("9" * DIGITS_MAX, 10**DIGITS_MAX - 1),
        ("9" * (DIGITS_MAX + 1), None),
        ("9" * 5000, None),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1.0", None),
        (" 1", None),
        ("1_0", None),
        ("\u0663", None),
        ("\u00b2", None),
    ],
)
def test_what_is_a_whole_number(text: str, number: int | None) -> None:
    assert whole_number(text) == number
