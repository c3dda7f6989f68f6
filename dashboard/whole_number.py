"""Whole numbers as addresses and forms carry them."""

from __future__ import annotations

DIGITS_MAX = 15
"""So that it fits into 64 bits, also an hour's seconds times over. Python refuses thousands of
digits with an error of its own."""


def whole_number(text: str) -> int | None:
    """The number, 0 or more; None for what is none, or too long for one."""
    fits = text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX
    return int(text) if fits else None
