"""`headgate operator` and `headgate merchant user`: their words, and where passwords are from."""

from __future__ import annotations

import io

import pytest

from headgate.__main__ import EPILOG, parser
from headgate.cli import person
from headgate.streams.errors import HeadgateError
from headgate.tables.passwords import PasswordRefused

GOOD = "correct horse battery"
WORDS = ("create --name n --email e", "list", "password e", "disable e", "enable e")


class Terminal(io.StringIO):
    """A stdin that somebody sits at, who types these answers."""

    def isatty(self) -> bool:
        return True


def typed(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """Have somebody type these at the prompts."""
    left = list(answers)
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda _prompt: left.pop(0))


def test_every_action_of_the_parsers_is_done() -> None:
    found = {parser().parse_args(["operator", *w.split()]).person_action for w in WORDS}
    assert found == set(person._ACTIONS)
    of_merchant = ("create m --name n --email e", "list m", *WORDS[2:])
    users = {
        parser().parse_args(["merchant", "user", *w.split()]).person_action for w in of_merchant
    }
    assert users == set(person._ACTIONS)


def test_the_help_names_what_operator_does() -> None:
    [line] = [line for line in EPILOG.splitlines() if line.startswith("  operator ")]
    assert all(word in line for word in person._ACTIONS)


def test_a_password_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, GOOD, GOOD)
    assert person._password(draw=False) == (GOOD, False)
    typed(monkeypatch, GOOD, "correct house battery")
    with pytest.raises(HeadgateError, match="differ"):
        person._password(draw=False)


def test_nothing_typed_draws_one(monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "")
    drawn, was_drawn = person._password(draw=False)
    assert was_drawn
    assert drawn != person._password(draw=True)[0]


def test_a_script_gives_the_first_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{GOOD}\nmore\n"))
    assert person._password(draw=False) == (GOOD, False)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert person._password(draw=False)[1]
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    with pytest.raises(PasswordRefused):
        person._password(draw=False)
