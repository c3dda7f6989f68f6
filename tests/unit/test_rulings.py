"""Every ruling of the design that this version answers for is named by a test that proves it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headgate.streams.bus import Position
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS

TESTS = Path(__file__).parents[1]
ANSWERED_FOR = range(1, 39)
"""The rulings of page 08."""


def named() -> set[int]:
    """The numbers of all rulings that a test names, in its text or in its name."""
    found: set[int] = set()
    for file in TESTS.rglob("test_*.py"):
        if file != Path(__file__):
            found |= {
                int(n) for n in re.findall(r"(?<![A-Za-z])[Rr](\d{1,2})(?!\d)", file.read_text())
            }
    return found


@pytest.mark.parametrize("number", ANSWERED_FOR)
def test_a_ruling_is_named_by_the_test_that_proves_it(number: int) -> None:
    assert number in named() | {17}, f"no test names 08 R{number}"


def test_a_log_position_names_the_commands_08_r17() -> None:
    topic = PAYMENT_COMMANDS.full_name(Settings())
    assert str(Position(topic, 3, 18422)) == "payments.commands/3@18422"
