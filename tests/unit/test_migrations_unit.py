"""Migrations and statements as files: ordered, named once, free of strings glued together."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from headgate.tables import migrate
from headgate.tables.postgres import statements

QUERIES = sorted(
    (entry.name, entry.read_text())
    for entry in files("headgate.tables").joinpath("queries").iterdir()
)


def test_migrations_apply_in_the_order_of_their_numbers() -> None:
    names = [name for name, _ in migrate.available()]
    numbers = [int(name[:4]) for name in names]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("name", [name for name, _ in migrate.available()])
def test_a_migration_is_named_by_number_and_meaning(name: str) -> None:
    assert re.fullmatch(r"\d{4}_[a-z0-9_]+\.sql", name)


@pytest.mark.parametrize(("name", "sql"), migrate.available())
def test_a_migration_names_no_schema_so_that_it_fits_every_namespace(name: str, sql: str) -> None:
    assert "headgate." not in sql.lower(), name
    assert "search_path" not in sql.lower(), name


@pytest.mark.parametrize(("name", "sql"), migrate.available())
def test_a_migration_leaves_transactions_to_the_runner(name: str, sql: str) -> None:
    assert not re.search(r"^\s*(begin|commit|rollback)\s*;", sql, re.I | re.M), name
    assert "concurrently" not in sql.lower(), name


@pytest.mark.parametrize(("file", "text"), QUERIES)
def test_every_statement_has_a_name_and_nothing_stands_outside(file: str, text: str) -> None:
    before_first = text.split("-- name:", maxsplit=1)[0]
    assert all(not line.strip() or line.startswith("--") for line in before_first.splitlines())
    assert file.endswith(".sql")


def test_no_two_statements_share_a_name() -> None:
    names = re.findall(r"^-- name: (\w+)$", "\n".join(text for _, text in QUERIES), re.M)
    assert len(names) == len(set(names))
    assert set(statements()) == set(names)


@pytest.mark.parametrize("name", statements())
def test_a_statement_is_one_statement(name: str) -> None:
    without_comments = re.sub(r"--.*", "", statements()[name])
    assert ";" not in without_comments.rstrip().rstrip(";")


@pytest.mark.parametrize("name", statements())
def test_parameters_are_numbered_without_gaps(name: str) -> None:
    numbers = {int(number) for number in re.findall(r"\$(\d+)", statements()[name])}
    assert numbers == set(range(1, len(numbers) + 1))
