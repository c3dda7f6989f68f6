"""Rules of the house that a machine can hold: sizes, openings, money without floats (05 §3)."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from headgate.streams import errors

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "streams", "tables", "agents", "http", "dashboard",
    "headgate/cli", "headgate/embedded", "headgate/replay",
)  # fmt: skip
FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 40
MONEY = (
    "streams/money.py",
    "streams/commands.py",
    "streams/facts.py",
    "tables/payment.py",
    "tables/payments.py",
    "tables/store.py",
)


def product_files() -> list[Path]:
    """Every Python file that is shipped, once."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    return sorted([*found, ROOT / "headgate/__init__.py", ROOT / "headgate/__main__.py"])


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


each_file = pytest.mark.parametrize("path", product_files(), ids=name_of)


@each_file
def test_a_file_has_one_noun_and_at_most_300_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= FILE_LINES_MAX


@each_file
def test_a_function_has_at_most_40_lines(path: Path) -> None:
    long = [
        f"{node.name}: {lines} lines"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert long == []


@each_file
def test_a_file_opens_with_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert re.match(r"\S.*[.:?!]", docstring, re.DOTALL), "one sentence, then the code"


@each_file
def test_a_file_imports_the_house_by_its_full_name(path: Path) -> None:
    """`streams.app` and `headgate.streams.app` would be two modules."""
    short = {"streams", "tables", "agents", "dashboard"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not {alias.name.partition(".")[0] for alias in node.names} & short
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert (node.module or "").partition(".")[0] not in short


@each_file
def test_nothing_is_left_for_later(path: Path) -> None:
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", path.read_text())


@pytest.mark.parametrize("name", MONEY)
def test_no_float_comes_near_money(name: str) -> None:
    """00 A14. Division is a float too: `//` and `divmod` are not."""
    for node in ast.walk(ast.parse((ROOT / name).read_text())):
        assert not (isinstance(node, ast.Name) and node.id in {"float", "Decimal"})
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float))
        assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div))


def drawn_tree() -> dict[str, int]:
    """The exceptions in the picture at the top of the file, with their depth."""
    lines = (errors.__doc__ or "").splitlines()
    found = [(re.search(r"\b[A-Z]\w+", line), line) for line in lines]
    start = next(i for i, (_, line) in enumerate(found) if line == "HeadgateError")
    return {
        match.group(): match.start() // 4
        for match, line in found[start:]
        if match and (line == "HeadgateError" or "── " in line)
    }


def test_every_error_is_in_the_drawn_tree_at_its_depth() -> None:
    classes = {
        name: len(kind.__mro__) - len(errors.HeadgateError.__mro__)
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__
    }
    assert drawn_tree() == classes


def test_every_error_says_what_it_means() -> None:
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if kind.__module__ == errors.__name__:
            assert (kind.__doc__ or "").endswith(".")
