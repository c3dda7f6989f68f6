"""What each release promised to downstream consumers; `python -m tests.contract.released_contract`
puts down what the version of this checkout promises, as the last thing before it is released."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from headgate.http.asyncapi import kinds_of
from headgate.http.asyncapi_headers import headers_of
from headgate.streams.schemas import PUBLISHED
from headgate.streams.settings import Settings
from headgate.streams.topics import FOREVER, all_topics
from tests.contract.compatibility import Breach, breaches

ROOT = Path(__file__).parents[2]
RELEASED = Path(__file__).parent / "released"
Contract = dict[str, Any]


def contract() -> Contract:
    """What this checkout promises: a schema per kind of record, and for each topic which
    kinds it tells and how it is kept."""
    settings = Settings.model_construct()
    topics = {}
    for topic in all_topics(settings):
        if topic.public:
            topics[topic.name] = {
                "kinds": sorted(kinds_of(topic)),
                "key": topic.key,
                "compacted": topic.compacted,
                "retention_ms": topic.retention_ms,
                "headers": headers_of(topic),
            }
    return {"schemas": {one.kind: one.schema() for one in PUBLISHED.values()}, "topics": topics}


def last_release(folder: Path = RELEASED) -> Contract:
    """What the latest release promised."""
    files = folder.glob("*/contract.json")
    latest = max(files, key=lambda file: [int(part) for part in file.parent.name.split(".")])
    told: Contract = json.loads(latest.read_text())
    return told


def broken(before: Contract, now: Contract) -> list[Breach]:
    """What consumers of the earlier promise would not understand."""
    found = breaches(before["schemas"], now["schemas"])
    for name, topic in before["topics"].items():
        if name not in now["topics"]:
            found.append(Breach(name, "", "is no public topic any more", "Leave it public"))
        else:
            found += _of_topic(name, topic, now["topics"][name], set(now["schemas"]))
    return found


def _of_topic(name: str, topic: Contract, kept: Contract, told: set[str]) -> Iterator[Breach]:
    """What is wrong with a topic, given all types that are told today."""
    headers = f"headers of {name}"
    yield from breaches({headers: topic["headers"]}, {headers: kept["headers"]})
    for kind in sorted((set(topic["kinds"]) - set(kept["kinds"])) & told):
        problem = f"is no longer told on {name}, and whoever waits for it there waits for ever"
        yield Breach(kind, "", problem, "Go on telling it there, also beside another topic")
    if (kept["key"], kept["compacted"]) != (topic["key"], topic["compacted"]):
        problem = "is keyed or cleaned up in another way"
        yield Breach(name, "", problem, "Make a new topic beside it")
    if _kept_ms(kept) < _kept_ms(topic):
        yield Breach(name, "", "is kept for a shorter time", "Keep it as long as before")


def _kept_ms(topic: Contract) -> float:
    return math.inf if topic["retention_ms"] == FOREVER else float(topic["retention_ms"])


def not_put_down(changelog: str, folder: Path = RELEASED) -> list[str]:
    """The versions that were released according to the changelog, and whose promise was not put
    down: the next release would be compared with an older one."""
    dated = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - ", changelog, re.MULTILINE)
    return [release for release in dated if not (folder / release / "contract.json").exists()]


def put_down(folder: Path, changelog: str, release: str) -> str:
    """Write the promise of this version. Raises ValueError when it was released already."""
    if re.search(rf"^## \[{re.escape(release)}\] - ", changelog, re.MULTILINE):
        raise ValueError(
            f"{release} was released according to CHANGELOG.md, and what it promised stays as it "
            "is: raise the version in pyproject.toml first"
        )
    file = folder / release / "contract.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(contract(), indent=1, sort_keys=True) + "\n")
    return str(file)


def main() -> int:
    """Put down the promise of this version, or say why not."""
    try:
        changelog = (ROOT / "CHANGELOG.md").read_text()
        sys.stdout.write(f"wrote {put_down(RELEASED, changelog, version('headgate'))}\n")
    except ValueError as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
