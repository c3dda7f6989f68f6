"""Values that people and programs search by, read from text."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from headgate.streams.cards import quoted
from headgate.streams.errors import HeadgateError

AMOUNT_MAX = 10**15
"""The largest sum that can be asked for, in minor units; more than any payment has."""
_UNIX_SECONDS = re.compile(r"[0-9]{1,10}")


class ValueInvalid(HeadgateError):
    """The text is no such value; the message is a sentence that names it."""


def amount(name: str, given: str) -> int:
    """A sum in minor units. Raises ValueInvalid."""
    digits = given.isascii() and given.isdigit() and len(given) <= len(str(AMOUNT_MAX))
    if not digits or int(given) > AMOUNT_MAX:
        raise ValueInvalid(f"{name} is {quoted(given)}; it must be a whole number of minor units.")
    return int(given)


def moment(name: str, given: str) -> datetime:
    """A time of this or the last century: ISO 8601, a day in UTC, unix seconds. Raises
    ValueInvalid."""
    try:
        if _UNIX_SECONDS.fullmatch(given):
            return datetime.fromtimestamp(int(given), UTC)
        found = datetime.fromisoformat(given)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
        if len(given) == len("2026-11-23"):
            return found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueInvalid(
        f"{name} is {quoted(given)}; it must be a time such as 2026-11-23T16:07:09Z, a day, or "
        "unix seconds. In a URL a plus sign is written %2B."
    )
