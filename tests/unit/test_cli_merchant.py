"""`headgate merchant`: what its words mean, and what is refused before anything is asked."""

from __future__ import annotations

import argparse

import pytest

from headgate.__main__ import EPILOG, parser
from headgate.cli import merchant, values
from headgate.tables.scopes import DEFAULT_SCOPES, MEANINGS, SCOPES


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800)],
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert values.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1.5h", "3w", "h", "1 h", "1h30m", "٣", "9" * 20])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="24h"):
        values.seconds(text)


def test_scopes_are_read_and_an_unknown_one_is_told_the_known_ones() -> None:
    assert values.scopes("payments:read,payments:write") == {"payments:read", "payments:write"}
    assert values.scopes("default,operator") == set(SCOPES)
    with pytest.raises(
        argparse.ArgumentTypeError, match="'payment' is no scope; there are default"
    ):
        values.scopes("payments:read,payment")


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "", "1000001"])
def test_a_rate_is_a_whole_number_of_at_least_one(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        values.count(text)


def test_a_key_is_made_with_the_defaults_unless_it_is_said() -> None:
    given = parser().parse_args(["merchant", "key", "create", "shop@example.com"])
    assert (given.live, given.scope, given.rate, given.strict) == (False, None, None, False)
    words = (
        "merchant key create mer_1 --live --scope keys:read --scope keys:write --rate 5 --strict"
    )
    given = parser().parse_args(words.split())
    assert frozenset().union(*given.scope) == {"keys:read", "keys:write"}
    assert (given.live, given.rate, given.strict) == (True, 5, True)


def test_a_rotation_overlaps_for_a_day_unless_it_is_said() -> None:
    assert parser().parse_args(["merchant", "key", "rotate", "k"]).overlap == 86_400
    words = ["merchant", "key", "rotate", "k", "--overlap", "10m"]
    assert parser().parse_args(words).overlap == 600


WORDS = (
    "create --name n --email e",
    "list",
    "activate w",
    "deactivate w",
    "key create w",
    "key list w",
    "key rotate k",
    "key revoke k",
)


def test_every_action_of_the_parser_is_done() -> None:
    found = set()
    for words in WORDS:
        given = parser().parse_args(["merchant", *words.split()])
        found.add((given.action, getattr(given, "key_action", None)))
    assert found == set(merchant._ACTIONS)


def test_the_help_names_what_merchant_does() -> None:
    [line] = [line for line in EPILOG.splitlines() if line.startswith("  merchant ")]
    assert all(word in line for word in ("create", "list", "activate", "deactivate", "key"))


def test_every_scope_has_a_meaning_and_the_default_is_all_but_operator() -> None:
    assert set(MEANINGS) == set(SCOPES)
    assert set(SCOPES) - DEFAULT_SCOPES == {"operator"}
