"""What settle refuses and what the edge says about it are one list of codes (01 §7.5)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.http.problem_kinds import KINDS
from headgate.http.problems import Problem
from headgate.http.problems_of_payments import CommandRefused, Refused, refusal_problem

ROOT = Path(__file__).parents[2]
INTERNAL = {"attempt_answered", "attempt_unknown", "approved_too_late", "timer_moot", "child_moot"}
"""Refusals of banks' answers and of timers, which no client hears of."""
REFUSED = [kind for kind in KINDS if issubclass(kind, Refused) and kind is not CommandRefused]


def nodes(folder: str) -> Iterator[ast.AST]:
    """Everything in the code of a folder, without what only describes it."""
    for path in sorted((ROOT / folder).glob("*.py")):
        if not path.name.startswith(("openapi", "error_pages")):
            yield from ast.walk(ast.parse(path.read_text()))


def decided() -> Iterator[str]:
    """The codes that tables/ gives to its refusals, wherever they stand as a literal."""
    for node in nodes("tables"):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            continue
        first = node.args[0]
        if node.func.id in {"Refused", "Refusal", "Reason"} and isinstance(first, ast.Constant):
            yield str(first.value)


TABLES_SAY = {node.value for node in nodes("tables") if isinstance(node, ast.Constant)}
HTTP_NAMES = {node.id for node in nodes("http") if isinstance(node, ast.Name)}


def test_every_refusal_that_a_client_hears_of_has_a_class() -> None:
    codes = set(decided()) - INTERNAL
    assert len(codes) > 10
    for code in codes:
        assert not isinstance(refusal_problem(code, "It is so."), CommandRefused), code


@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.code)
def test_every_class_of_a_refusal_is_decided_somewhere(kind: type[Problem]) -> None:
    assert kind.code in TABLES_SAY


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind not in REFUSED], ids=lambda kind: kind.code
)
def test_every_other_class_is_raised_somewhere(kind: type[Problem]) -> None:
    """A class that nobody raises must not exist."""
    assert kind.__name__ in HTTP_NAMES
