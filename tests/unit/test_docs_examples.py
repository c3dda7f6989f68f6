"""The example consumers say the same in three clothes, and the page shows one as it is."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from tests.contract.samples import samples_of

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs/examples"
SOURCES = {
    path.name: path.read_text()
    for path in sorted(EXAMPLES.iterdir())
    if path.suffix in (".py", ".mjs")
}
SQL = re.compile(r"(?:CREATE TABLE|INSERT INTO|UPDATE|ON CONFLICT)[^`\"';]+")
LINES_MAX = 60


def sql_of(name: str) -> set[str]:
    """The statements of an example."""
    return {" ".join(found.split()) for found in SQL.findall(SOURCES[name])}


def test_the_page_shows_the_consumer_as_it_is() -> None:
    shown = [sample.text for sample in samples_of(ROOT / "docs/subscribe.md")]
    assert SOURCES["consumer_aiokafka.py"].rstrip() in shown


def test_the_page_promises_in_the_words_of_the_specification() -> None:
    page = (ROOT / "docs/subscribe.md").read_text()
    promises = (
        "Facts are in order per payment, `sequence` has no gaps, bytes of an event never change.",
        "every fact once per `(payment_id, sequence)`, in order per payment, forever replayable",
    )
    assert all(f"> {words}\n" in page for words in promises)


def test_the_consumers_in_python_differ_in_their_client_only() -> None:
    one, other = (
        {
            node.name: ast.dump(node)
            for node in ast.parse(SOURCES[name]).body
            if hasattr(node, "name")
        }
        for name in ("consumer_aiokafka.py", "consumer_confluent.py")
    )
    assert one["apply"] == other["apply"]


@pytest.mark.parametrize("name", SOURCES)
def test_every_consumer_has_the_same_statements(name: str) -> None:
    assert sql_of(name) == sql_of("consumer_aiokafka.py")
    assert len(sql_of(name)) == 5


@pytest.mark.parametrize("name", SOURCES)
def test_a_consumer_is_short_enough_to_be_copied(name: str) -> None:
    code = [line for line in SOURCES[name].splitlines() if line.strip()]
    assert len(code) <= LINES_MAX
    assert max(map(len, code)) <= 102


def test_the_lock_file_names_no_registry() -> None:
    """Whoever locks through a mirror must not commit its addresses (ADR 0008)."""
    lock = (EXAMPLES / "package-lock.json").read_text()
    assert "resolved" not in lock
    packages = json.loads(lock)["packages"]
    assert all("integrity" in package for name, package in packages.items() if name)
