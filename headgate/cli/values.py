"""What words on the command line stand for: durations, counts, scopes."""

from __future__ import annotations

import argparse
import re

from headgate.tables.scopes import DEFAULT_SCOPES, SCOPES

_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
COUNT_MAX = 1_000_000
DEFAULT = "default"
"""The word for all scopes but `operator`."""


def seconds(text: str) -> int:
    """`90`, `90s`, `15m`, `24h` or `7d` in seconds."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no duration; say seconds, or 90s, 15m, 24h, 7d"
        )
    return int(found[1]) * _UNITS_S[found[2]]


def count(text: str) -> int:
    """A whole number of at least one."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= COUNT_MAX):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to {COUNT_MAX}")
    return int(text)


def scopes(text: str) -> frozenset[str]:
    """`payments:read,payments:write`, or `default,operator`."""
    found: set[str] = set()
    for word in text.split(","):
        if word != DEFAULT and word not in SCOPES:
            known = ", ".join((DEFAULT, *SCOPES))
            raise argparse.ArgumentTypeError(f"{word!r} is no scope; there are {known}")
        found |= DEFAULT_SCOPES if word == DEFAULT else {word}
    return frozenset(found)
