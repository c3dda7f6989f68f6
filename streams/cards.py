"""Card numbers: told from other digits, checked, masked, and reduced to what may be kept."""

from __future__ import annotations

import hmac
import re
from base64 import b32encode, b64decode

SHORTEST, LONGEST = 13, 19
"""Digits of a card number (ISO/IEC 7812)."""

_BRANDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("visa", re.compile(r"4")),
    ("mastercard", re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720")),
    ("amex", re.compile(r"3[47]")),
    ("diners", re.compile(r"30|36|38|39")),
    ("jcb", re.compile(r"35")),
    ("rupay", re.compile(r"508|60[0-9](?!1)|65[23]|81|82")),
    ("discover", re.compile(r"6011|64|65")),
    ("maestro", re.compile(r"50|5[6-9]|6")),
)
_FIRST_DIGITS = "234568"
_MANY = re.compile(r"(?:[0-9][ -]?){12}[0-9]")
"""Enough digits for a card number; most texts have fewer, and are done with at once."""
_RUN = re.compile(r"[0-9]{2,19}(?:[ -][0-9]{2,19}){0,9}")
"""Digits as people write card numbers: in one piece, or in groups of at least two."""


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1)."""
    odd, even = digits[-1::-2], digits[-2::-2]
    doubled = sum(int("0246813579"[int(digit)]) for digit in even)
    return (sum(map(int, odd)) + doubled) % 10 == 0


def brand_of(number: str) -> str:
    """The card network by the number's first digits; `unknown` when it is none of them."""
    return next((name for name, prefix in _BRANDS if prefix.match(number)), "unknown")


def is_number(digits: str) -> bool:
    """Whether this is a card number, and nothing else, as far as one can tell.

    Besides the length and the check digit it must begin as a network's numbers do: every tenth
    time stamp or order number would pass the check digit alone.
    """
    return (
        SHORTEST <= len(digits) <= LONGEST
        and digits.isascii()
        and digits.isdigit()
        and digits[0] in _FIRST_DIGITS
        and brand_of(digits) != "unknown"
        and luhn(digits)
    )  # fmt: skip


def find_number(text: str) -> tuple[int, int] | None:
    """Where in `text` the first card number stands, as (begin, end); None when there is none."""
    if len(text) < SHORTEST or not _MANY.search(text):
        return None
    for run in _RUN.finditer(text):
        found = _number_in(run.group())
        if found is not None:
            return run.start() + found[0], run.start() + found[1]
    return None


def _number_in(run: str) -> tuple[int, int] | None:
    """The first card number that groups of digits make up, whole groups only."""
    groups = list(re.finditer(r"[0-9]+", run))
    for first, begin in enumerate(groups):
        digits = ""
        for group in groups[first:]:
            digits += group.group()
            if len(digits) > LONGEST:
                break
            if is_number(digits):
                return begin.start(), group.end()
    return None


def masked(text: str) -> str:
    """`text` with every card number in it replaced by stars and its last four digits."""
    while (found := find_number(text)) is not None:
        begin, end = found
        text = f"{text[:begin]}{'*' * 12}{text[end - 4 : end]}{text[end:]}"
    return text


def quoted(text: str, most: int = 40) -> str:
    """What somebody sent, as it may stand in an answer or a log: between quotation marks, in ASCII,
    at most so many characters of it, and without a card number."""
    safe = masked(text)
    return ascii(safe if len(safe) <= most else safe[:most] + "...")


class Fingerprints:
    """Keyed hashes of card numbers: equal for equal cards, useless without the key (00 A15)."""

    def __init__(self, key_base64: str) -> None:
        self._key = hmac.digest(b64decode(key_base64), b"headgate card fingerprint", "sha256")

    def of(self, number: str) -> str:
        """The fingerprint of a card number given as digits only."""
        digest = hmac.digest(self._key, number.encode(), "sha256")
        return b32encode(digest).decode().lower()[:26]
