"""What each release promised to downstream consumers; `python -m tests.contract.released_contract`
puts down what the version of this checkout promises, as the last thing before it is released."""

from __future__ import annotations

import json
import math
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from headgate.http.asyncapi_headers import headers_of
from headgate.streams.schemas import PUBLISHED
from headgate.streams.settings import Settings
from headgate.streams.topics import FOREVER, all_topics
from tests.contract.compatibility import Breach, breaches

ROOT = Path(__file__).parents[2]
RELEASED = Path(__file__).parent / "released"
Contract = dict[str, Any]


def contract() -> Contract:
    """What this checkout promises: a schema per kind of record, and how the topics are kept."""
    settings = Settings.model_construct()
    topics = {}
    for topic in all_topics(settings):
        if topic.public:
            topics[topic.name] = {
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
            continue
        kept = now["topics"][name]
        found += breaches({f"headers of {name}": topic["headers"]},
                          {f"headers of {name}": kept["headers"]})  # fmt: skip
        if (kept["key"], kept["compacted"]) != (topic["key"], topic["compacted"]):
            problem = "is keyed or cleaned up in another way"
            found.append(Breach(name, "", problem, "Make a new topic beside it"))
        if _kept_ms(kept) < _kept_ms(topic):
            problem = "is kept for a shorter time"
            found.append(Breach(name, "", problem, "Keep it as long as before"))
    return found


def _kept_ms(topic: Contract) -> float:
    return math.inf if topic["retention_ms"] == FOREVER else float(topic["retention_ms"])


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
