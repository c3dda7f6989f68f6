"""Money: whole minor units and an ISO 4217 code; no float comes near it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

AMOUNT_MAX = 10**12
"""Most minor units that one payment may move."""

MINOR_DIGITS = {
    "AED": 2, "AUD": 2, "BDT": 2, "BHD": 3, "BRL": 2, "CAD": 2, "CHF": 2, "CLP": 0, "CNY": 2,
    "CZK": 2, "DKK": 2, "EUR": 2, "GBP": 2, "HKD": 2, "HUF": 2, "IDR": 2, "ILS": 2, "INR": 2,
    "ISK": 0, "JOD": 3, "JPY": 0, "KES": 2, "KRW": 0, "KWD": 3, "LKR": 2, "MXN": 2, "MYR": 2,
    "NGN": 2, "NOK": 2, "NPR": 2, "NZD": 2, "OMR": 3, "PHP": 2, "PKR": 2, "PLN": 2, "QAR": 2,
    "RON": 2, "SAR": 2, "SEK": 2, "SGD": 2, "THB": 2, "TND": 3, "TRY": 2, "TWD": 2, "UAH": 2,
    "USD": 2, "VND": 0, "ZAR": 2,
}  # fmt: skip
"""Digits behind the point of every supported currency (ISO 4217)."""

Amount = Annotated[int, Field(strict=True, ge=1, le=AMOUNT_MAX)]
"""A sum that moves: at least one minor unit."""

Balance = Annotated[int, Field(strict=True, ge=0, le=AMOUNT_MAX)]
"""A sum that has moved so far."""


_TOO_MUCH = "That is more than a payment can be."


def supported(currency: str) -> bool:
    """Whether the code is one that Headgate takes, exactly as written (no case folding)."""
    return currency in MINOR_DIGITS


def from_words(text: str, currency: str) -> int:
    """`500.00` of a currency in minor units. Raises ValueError, whose message is for people."""
    digits = MINOR_DIGITS.get(currency, 2)
    whole, point, rest = text.strip().partition(".")
    plain = whole.isascii() and whole.isdigit() and (not point or rest.isascii())
    if not plain or (point and not rest.isdigit()) or len(rest) > digits:
        example = in_words(12 * 10**digits, currency)
        raise ValueError(f"Type the amount in {currency}, such as {example.split()[0]}.")
    if len(whole) > len(str(AMOUNT_MAX)):
        raise ValueError(_TOO_MUCH)
    amount = int(whole + rest.ljust(digits, "0"))
    if amount == 0:
        raise ValueError("The amount must be more than nothing.")
    if amount > AMOUNT_MAX:
        raise ValueError(_TOO_MUCH)
    return amount


def in_words(amount: int, currency: str) -> str:
    """`500.00 INR`, for people."""
    digits = MINOR_DIGITS.get(currency, 2)
    whole, rest = divmod(amount, 10**digits)
    return f"{whole}.{rest:0{digits}} {currency}" if digits else f"{whole} {currency}"
