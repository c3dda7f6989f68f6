"""Card numbers are found, told from other digits, and masked."""

from __future__ import annotations

import pytest

from headgate.streams import cards
from headgate.streams.cards import brand_of, find_number, is_number, luhn, masked
from headgate.streams.scenarios import CARDS


@pytest.mark.parametrize("number", sorted(CARDS))
def test_every_test_card_is_a_card_number(number: str) -> None:
    assert is_number(number)
    assert masked(f"pay with {number} now") == f"pay with {'*' * 12}{number[-4:]} now"


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "a4111111111111111b",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "12 4111-1111-1111-1111 34",
        "3782 822463 10005",
    ],
)
def test_a_number_is_found_however_it_is_written(text: str) -> None:
    assert find_number(text) is not None
    assert find_number(masked(text)) is None


@pytest.mark.parametrize(
    "text",
    ["1732378123456", "a1732378123456789-32-17", "4111111111111112", "order 12345", "0" * 16, ""],
)
def test_other_digits_are_left_alone(text: str) -> None:
    assert find_number(text) is None
    assert masked(text) == text


def test_digits_in_a_hostile_row_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few looks per group of digits, however many groups there are."""
    looks: list[str] = []

    def looked(digits: str) -> bool:
        looks.append(digits)
        return False

    monkeypatch.setattr(cards, "is_number", looked)
    find_number("41-" * 2700)
    assert 0 < len(looks) <= 2700 * cards.LONGEST // 2


def test_brands_and_the_check_digit() -> None:
    assert [brand_of(n) for n in ("4242", "5555", "2223", "378282", "6011", "6522", "99")] == [
        "visa", "mastercard", "mastercard", "amex", "discover", "rupay", "unknown",
    ]  # fmt: skip
    assert luhn("79927398713")
    assert not luhn("79927398710")
