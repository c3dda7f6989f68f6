"""Money is whole minor units: what is not is refused, and people read it with its point."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from headgate.streams.money import AMOUNT_MAX, MINOR_DIGITS, Amount, Balance, in_words, supported

AMOUNT: TypeAdapter[int] = TypeAdapter(Amount)
BALANCE: TypeAdapter[int] = TypeAdapter(Balance)


@pytest.mark.parametrize("amount", [1, 50_000, AMOUNT_MAX])
def test_a_sum_that_moves_is_between_one_and_the_limit(amount: int) -> None:
    assert AMOUNT.validate_python(amount) == amount
    assert AMOUNT.validate_json(str(amount)) == amount


@pytest.mark.parametrize("wrong", ["0", "-1", str(AMOUNT_MAX + 1), "1.0", "10.5", '"1"', "true"])
def test_nothing_else_is_an_amount(wrong: str) -> None:
    with pytest.raises(ValidationError):
        AMOUNT.validate_json(wrong)


def test_a_balance_may_be_nothing_but_never_less() -> None:
    assert BALANCE.validate_python(0) == 0
    with pytest.raises(ValidationError):
        BALANCE.validate_python(-1)


def test_currencies_are_taken_exactly_as_written() -> None:
    assert supported("INR")
    assert not supported("inr")
    assert not supported("ZZZ")
    assert not supported("")


def test_every_currency_is_a_code_with_zero_two_or_three_digits() -> None:
    assert all(len(code) == 3 and code.isupper() for code in MINOR_DIGITS)
    assert set(MINOR_DIGITS.values()) == {0, 2, 3}


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        (50_000, "INR", "500.00 INR"),
        (5, "INR", "0.05 INR"),
        (500, "JPY", "500 JPY"),
        (1234, "KWD", "1.234 KWD"),
        (AMOUNT_MAX, "USD", "10000000000.00 USD"),
    ],
)
def test_amounts_in_words_have_their_currencys_digits(
    amount: int, currency: str, words: str
) -> None:
    assert in_words(amount, currency) == words
