"""The docs are true as far as a machine can tell: made pages fresh, links and tests that exist."""

from __future__ import annotations

import argparse
import ast
import json
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from headgate.__main__ import parser
from headgate.cli import docs
from headgate.http.schemas import PaymentRequest
from headgate.streams.scenarios import CARDS, VPAS
from headgate.streams.settings import Settings
from headgate.streams.topics import Topic, all_topics
from headgate.tables.merchants import DEMO_KEY, DEMO_SECRET
from tests.contract.released_contract import not_put_down
from tests.contract.samples import pages

ROOT = Path(__file__).parents[2]
PAGES = pages()
ADRS = sorted((ROOT / "docs/decisions").glob("0*.md"))
ARCHITECTURE = (ROOT / "docs/explanation/architecture.md").read_text()
README = (ROOT / "README.md").read_text()

GUARANTEES = [
    " ".join(words.split())
    for words in """
An answered create is in the log (while the log is away: in the fsynced outbox, told by the missing
`Log-Position`). It settles once, whatever dies.

One key, one payment — for ever, not for 24 hours.

Captures never exceed the authorisation, refunds never exceed the capture, under any concurrency.

Facts are in order per payment, `sequence` has no gaps, bytes of an event never change.

Every matching endpoint gets every event at least once with a stable `webhook-id`, never early, for
75 hours of tries; afterwards it can be replayed.

One endpoint's behaviour never changes another's latency.

Losing Redis costs nothing but speed; losing PostgreSQL costs nothing but time; Kafka is the record.
""".strip().split("\n\n")
]
"""The words of the specification (00 §6)."""

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
each_adr = pytest.mark.parametrize("adr", ADRS, ids=lambda adr: adr.name)


@cache
def names_in(path: Path) -> set[str]:
    """The functions and classes of a test file, and what it assigns at the top."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def named_tests(text: str) -> list[tuple[Path, str]]:
    """(file, name) of every test that a text names; the name is empty for a whole file."""
    found = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    return [(ROOT / file, name) for file, name in found]


# Made pages


def test_made_pages_are_fresh() -> None:
    assert docs.stale(ROOT) == [], "run `python -m headgate.cli.docs`"


def test_a_stale_page_is_told_and_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    assert docs.run(argparse.Namespace(check=True)) == 1
    assert "docs/configuration.md is out of date" in capsys.readouterr().out
    assert docs.run(argparse.Namespace(check=False)) == 0
    assert docs.stale(tmp_path) == []
    assert docs.run(argparse.Namespace(check=True)) == 0


def test_pages_are_made_in_a_checkout_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert docs.run(argparse.Namespace(check=False)) == 1
    assert "docs/" in capsys.readouterr().err


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_all_its_variables(name: str) -> None:
    field, page = Settings.model_fields[name], docs.configuration()
    assert len((field.description or "").split()) > 2
    assert all(f"`{variable}`" in page for variable in docs.variables(name, field))


def test_the_environment_of_the_docs_does_not_change_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_NAMESPACE", "replay")
    monkeypatch.setenv("HEADGATE_KAFKA", "kafka:9092")
    assert docs.stale(ROOT) == []


@pytest.mark.parametrize("topic", all_topics(Settings()), ids=lambda topic: topic.name)
def test_every_topic_is_named_in_the_docs(topic: Topic) -> None:
    page = (ROOT / "docs/reference/topics.md").read_text()
    name = f"`{topic.full_name(Settings())}`"
    assert f"| {f'**{name}**' if topic.public else name} |" in page


# Every page


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), target


@each_page
def test_every_test_that_is_named_exists(page: Path) -> None:
    for file, name in named_tests(page.read_text()):
        assert file.exists(), file
        assert not name or name in names_in(file), f"{file}::{name}"


@each_page
def test_a_page_names_no_phrase_for_later(page: Path) -> None:
    assert not re.search(r"\b(TODO|FIXME|TBD|lorem)\b", page.read_text())


# Architecture


@pytest.mark.parametrize("number", range(1, len(GUARANTEES) + 1))
def test_every_guarantee_stands_verbatim_with_what_proves_it(number: int) -> None:
    section = re.split(r"^### \d$", ARCHITECTURE, flags=re.MULTILINE)[number].split("\n## ")[0]
    assert f"> {GUARANTEES[number - 1]}\n" in section
    assert named_tests(section)


# Decisions


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    assert [int(adr.name[:4]) for adr in ADRS] == list(range(1, len(ADRS) + 1))
    listed = (ROOT / "docs/decisions/README.md").read_text()
    assert re.findall(r"\((0\d+[\w-]+\.md)\)", listed) == [adr.name for adr in ADRS]


@each_adr
def test_a_decision_is_short_and_ends_with_what_enforces_it(adr: Path) -> None:
    text = adr.read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
        "Question",
        "Decision",
        "What follows",
        "Enforced by",
    ]
    assert text.startswith(f"# {adr.name[:4]}: ")
    assert named_tests(text.split("## Enforced by")[1])
    assert len(text.splitlines()) <= 60


# README and changelog


def test_the_first_payment_is_one_that_the_edge_takes() -> None:
    [body] = re.findall(r"-d '(\{.*\})'", README)
    asked = PaymentRequest.model_validate(json.loads(body))
    assert (asked.amount, asked.method) == (50_000, "upi")
    assert DEMO_KEY in README
    assert DEMO_SECRET in README


def test_the_test_values_of_the_readme_play_something() -> None:
    rows = re.findall(r'"vpa": "([^"]+)"`, or card ([\d ]+) \|', README)
    assert len(rows) == 4
    for vpa, card in rows:
        assert VPAS[vpa] == CARDS[card.replace(" ", "")]


def test_every_command_that_the_readme_shows_exists() -> None:
    shown = set(re.findall(r"\.venv/bin/headgate (\w+)", README))
    verbs = parser()._subparsers
    assert verbs is not None
    known = {name for action in verbs._group_actions for name in action.choices or ()}
    assert shown
    assert shown <= known
    targets = set(re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make (\w+)$", README, re.MULTILINE)) <= targets


def test_the_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    releases = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert releases[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", r) for r in releases[1:])
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= kinds
    how = "run `python -m tests.contract.released_contract` before the date is in CHANGELOG.md"
    assert not_put_down(text) == [], how


# The lock file


def test_the_lock_names_the_public_index_and_a_hash_for_every_file() -> None:
    """docs/decisions/0008."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    others = [p for p in lock["package"] if p["name"] != "headgate"]
    assert {p["source"]["registry"] for p in others} == {"https://pypi.org/simple"}
    files = [f for p in others for f in [*p.get("wheels", []), *filter(None, [p.get("sdist")])]]
    assert all(f["url"].startswith("https://files.pythonhosted.org/") for f in files)
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", f["hash"]) for f in files)
    assert "sync --quiet --locked" in (ROOT / "Makefile").read_text()
