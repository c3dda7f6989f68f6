"""`headgate docs`: write the pages that are made from code, so that they cannot be out of date."""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from annotated_types import Ge, Gt, Le
from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from headgate.cli.docs_of_contracts import CONTRACTS
from headgate.cli.docs_of_errors import errors
from headgate.cli.docs_of_events import events
from headgate.cli.docs_of_metrics import metrics
from headgate.cli.docs_of_states import states
from headgate.cli.docs_of_test_values import test_values
from headgate.streams.settings import Settings
from headgate.streams.settings_of_checkout import CheckoutKnobs
from headgate.streams.settings_of_people import PeopleKnobs
from headgate.streams.settings_of_webhooks import WebhookKnobs
from headgate.streams.topics import FOREVER, Topic, all_topics

DAY_MS = 86_400_000
MADE = "<!-- Made by `python -m headgate.cli.docs` from {source}. Do not edit. -->"

CONFIGURATION = """\
{made}

# Configuration

Every setting is an environment variable, read once when a process starts. Names end in their
unit: `_MS` and `_S` are times, `_BYTES_MAX` are sizes, `_MAX` are counts. A value that makes no
sense ends the process at start with the name of the setting. Where two names are given, the first
one is the seed's and wins.

`headgate up` sets what its own Kafka, PostgreSQL and Redis need; set `HEADGATE_KAFKA`,
`HEADGATE_POSTGRES` and `HEADGATE_REDIS` to use others.
"""

TOPICS = """\
{made}

# Topics

Every topic of Headgate, as `headgate topics` declares and checks it. All have the same number of
partitions (`HEADGATE_PARTITIONS`), frozen once they exist. In a namespace every name begins with
it: `replay.payments.facts`. Values are JSON; every record carries CloudEvents 1.0 attributes in
headers. Sources are never compacted and never transactional: their offsets have no holes.

Others may build on the topics in bold: their records are described by the
[AsyncAPI document](asyncapi.json) and by a [JSON Schema](schemas/) per type, and change only by
additions: see the [contract](contract.md). All others are how Headgate works inside, and may change
with every version.

| Topic | Key | Written by | Read by | Kept | What it holds |
|---|---|---|---|---|---|
"""


def configuration() -> str:
    """The page of all settings, in the order and under the headings of the source."""
    parts = [CONFIGURATION.format(made=MADE.format(source="streams/settings.py"))]
    for heading, names in _sections():
        rows = [_setting(name, Settings.model_fields[name]) for name in names]
        table = "| Variable | Default | Allowed | Meaning |\n|---|---|---|---|\n" + "\n".join(rows)
        parts.append(f"## {heading}\n\n{table}\n")
    return "\n".join(parts)


def _sections() -> Iterator[tuple[str, list[str]]]:
    """Headings are the comments between the settings."""
    heading, names = "", list[str]()
    knobs = (Settings, PeopleKnobs, WebhookKnobs, CheckoutKnobs)
    source = "".join(map(inspect.getsource, knobs))
    for line in source.splitlines():
        if found := re.match(r" {4}# (.+)", line):
            if names:
                yield heading, names
            heading, names = found[1], []
        elif (found := re.match(r" {4}(\w+):", line)) and found[1] in Settings.model_fields:
            names.append(found[1])
    yield heading, names


def variables(name: str, field: FieldInfo) -> list[str]:
    """The environment variables that a setting answers to, the one that wins first."""
    if isinstance(field.validation_alias, AliasChoices):
        return [str(choice) for choice in field.validation_alias.choices]
    return [f"HEADGATE_{name.upper()}"]


def _setting(name: str, field: FieldInfo) -> str:
    names = "<br>".join(f"`{variable}`" for variable in variables(name, field))
    meaning = " ".join((field.description or "").split())
    return f"| {names} | {_shown(field.default)} | {_allowed(field)} | {meaning} |"


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return f"`{default}`".lower()
    return f"`{default}`" if str(default) else "empty"


def _allowed(field: FieldInfo) -> str:
    """What a value may be, in words."""
    kind = {"bool": "true, false", "int": "whole number", "float": "number"}.get(
        getattr(field.annotation, "__name__", ""), "text"
    )
    bounds = []
    for rule in field.metadata:
        if isinstance(rule, Gt):
            bounds.append(f"above {rule.gt}")
        elif isinstance(rule, Ge):
            bounds.append(f"at least {rule.ge}")
        elif isinstance(rule, Le):
            bounds.append(f"at most {rule.le}")
        elif pattern := getattr(rule, "pattern", None):
            bounds.append(f"`{pattern}`".replace("|", "\\|"))
    return ", ".join([kind, *bounds])


def topics() -> str:
    """The page of all topics."""
    head = TOPICS.format(made=MADE.format(source="streams/topics.py"))
    settings = Settings.model_construct()
    return head + "\n".join(_topic(topic, settings) for topic in all_topics(settings)) + "\n"


def _topic(topic: Topic, settings: Settings) -> str:
    name = f"`{topic.full_name(settings)}`"
    columns = (
        f"**{name}**" if topic.public else name,
        topic.key,
        topic.written_by,
        topic.read_by,
        _kept(topic),
        topic.purpose,
    )
    return f"| {' | '.join(columns)} |"


def _kept(topic: Topic) -> str:
    if topic.compacted:
        return "latest per key"
    if topic.retention_ms == FOREVER:
        return "for ever"
    days, rest = divmod(topic.retention_ms, DAY_MS)
    return f"{days} days" + (" and the delay" if rest else "")


PAGES: dict[str, Callable[[], str]] = {
    "docs/configuration.md": configuration,
    "docs/reference/errors.md": lambda: errors(MADE.format(source="http/problems_of_*.py")),
    "docs/reference/events.md": lambda: events(
        MADE.format(source="streams/fact_words.py, streams/operational_words.py")
    ),
    "docs/reference/metrics.md": lambda: metrics(
        MADE.format(source="http/metrics.py, streams/engine/metrics.py, agents/webhook_metrics.py")
    ),
    "docs/reference/topics.md": topics,
    "docs/reference/states.md": lambda: states(MADE.format(source="tables/transitions.py")),
    "docs/reference/test-values.md": lambda: test_values(
        MADE.format(source="streams/plays.py, streams/scenarios.py, tables/acquirer_knobs.py")
    ),
    **CONTRACTS,
}
"""Every page that is made, by its path in the checkout."""


def stale(root: Path) -> list[str]:
    """The pages that are not what the code says now."""
    return [
        name
        for name, page in PAGES.items()
        if not (root / name).exists() or (root / name).read_text() != page()
    ]


def run(arguments: argparse.Namespace) -> int:
    """Write the pages into the checkout that this is started in; with `--check` only look."""
    root = Path.cwd()
    if not (root / "docs").is_dir():
        print("there is no folder docs/ here: start this in the checkout", file=sys.stderr)
        return 1
    old = stale(root)
    for name in old:
        if arguments.check:
            print(f"{name} is out of date: run `python -m headgate.cli.docs`")
            continue
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(PAGES[name]())
        print(f"wrote {name}")
    return 1 if old and arguments.check else 0


def main() -> int:
    """The command line of `python -m headgate.cli.docs`."""
    parser = argparse.ArgumentParser(prog="python -m headgate.cli.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is out of date")
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
