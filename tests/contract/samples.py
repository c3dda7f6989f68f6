"""Every fenced block of the docs: what it is, where it stands, and why a few are not run."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN = ("sh", "bash", "python", "javascript")
"""Languages of samples that are run."""
SHOWN = ("text", "json", "http")
"""Languages of what is shown: answers, outputs, bodies. An `http` request is sent."""
PASTED = ("html", "jsx")
"""Languages of what goes into a shop's page; BY_BROWSERS names the test that does so."""
DRAWN = ("mermaid",)
"""Languages of pictures: nothing in them can be run."""
_FENCE = re.compile(r"^(\s*)```+\s*(\S*)[ \t]*(.*)$")
_REQUEST = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE) /")
_BOXES = re.compile("[─│┌└├▼▲►◄]")


@dataclass(frozen=True)
class Sample:
    """One fenced block. `about` is what follows the language: the schema of a `json` body."""

    page: str
    line: int
    language: str
    about: str
    text: str

    @property
    def place(self) -> str:
        """Where to look when it is wrong."""
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        """Whether it does something."""
        return self.language in RUN or (
            self.language == "http" and _REQUEST.match(self.text) is not None
        )

    @property
    def shows(self) -> bool:
        """Whether it is an answer, when it stands right behind what runs."""
        return self.language in SHOWN and not self.runs and not self.drawn

    @property
    def drawn(self) -> bool:
        """Whether it is a picture, also one made of letters."""
        return self.language in DRAWN or (
            self.language == "text" and _BOXES.search(self.text) is not None
        )


@dataclass(frozen=True)
class Elsewhere:
    """Why a sample is not run here, and the test that does what it says."""

    reason: str
    test: str


_UP = "tests/system/test_embedded_up.py::"
_TRAFFIC = "tests/system/test_traffic.py::"
_LOAD = "tests/system/test_replay_load.py::"
ELSEWHERE = {
    "make up": Elsewhere(
        "starts everything, for ever, on port 8000; it does `headgate up`",
        f"{_UP}test_the_first_payment_goes_all_the_way_through",
    ),
    "make test": Elsewhere(
        "would run this test, which would run it again",
        f"{_UP}test_the_doctor_finds_nothing",
    ),
    "HEADGATE_WORKER_METRICS_PORT=9464 headgate up\ncurl http://127.0.0.1:9466/metrics": Elsewhere(
        "starts everything, for ever; a notify worker with a port of its own is asked there",
        "tests/system/test_webhook_events_live.py::"
        "test_a_test_arrives_and_an_endpoint_that_fails_for_long_is_disabled_and_told_of",
    ),
    ".venv/bin/headgate tail payments.facts --type 'payment.*' --since 1h --no-follow": Elsewhere(
        "shows what was paid within the last hour, which may be nothing here",
        f"{_TRAFFIC}test_what_was_paid_is_captured_shown_and_followed",
    ),
    ".venv/bin/headgate capture --since 1h traffic.ndjson.zst": Elsewhere(
        "would leave its file in the checkout",
        f"{_TRAFFIC}test_what_was_paid_is_captured_shown_and_followed",
    ),
    "zstdcat traffic.ndjson.zst": Elsewhere(
        "shows the file of a sample that is not run here",
        "tests/unit/test_capture_file.py::test_a_file_begins_with_its_header_and_ends_with_its_end",
    ),
    ".venv/bin/headgate replay --verify log --since 1h": Elsewhere(
        "needs an hour's payments on the log of a running system",
        "tests/system/test_replay_verify.py::"
        "test_the_verb_holds_todays_code_to_a_log_and_to_its_capture",
    ),
    ".venv/bin/headgate replay --verify --in-memory tests/corpus/shop.ndjson.zst": Elsewhere(
        "needs the folder of the source, and tells numbers that change with the corpus",
        "tests/unit/test_corpus.py::test_the_corpus_is_decided_as_it_was_recorded",
    ),
    ".venv/bin/headgate replay traffic.ndjson.zst --speed 10": Elsewhere(
        "needs a capture, and a system that nobody else is using",
        f"{_LOAD}test_every_speed_ends_with_a_verdict_that_adds_up",
    ),
    ".venv/bin/headgate replay --resume run_2q7ffm5cva3xyzd2q7ffm5cva3": Elsewhere(
        "needs a run that was cut off",
        f"{_LOAD}test_a_killed_replayer_goes_on_where_it_was",
    ),
    ".venv/bin/headgate replay traffic.ndjson.zst --same-ids --sink commands --as-fast": Elsewhere(
        "needs a capture of the very system",
        f"{_LOAD}test_the_same_ids_add_not_one_row_fact_or_webhook",
    ),
}
"""The only samples that are not run, by their text; each with a reason."""


BY_BROWSERS = {
    "docs/checkout.md": "tests/browser/test_checkout.py::"
    "test_a_card_pays_in_a_shops_frame_and_its_number_is_in_one_request",
    "docs/portal.md": "tests/system/test_dashboard_portal.py::"
    "test_a_link_shows_one_merchants_endpoints_and_deliveries",
}
"""What stands in a shop's page, by the page of the docs: the test that puts it into one."""


def pages() -> list[Path]:
    """Every page of ours; not those of packages that an example uses."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(page for page in found if "node_modules" not in page.parts)


@cache
def samples_of(page: Path) -> tuple[Sample, ...]:
    """The fenced blocks of a page, in order."""
    return tuple(_blocks(str(page.relative_to(ROOT)), page.read_text()))


def _blocks(page: str, text: str) -> Iterator[Sample]:
    opened: tuple[int, str, str] | None = None
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        fence = _FENCE.match(line)
        if fence is None:
            lines.append(line)
        elif opened is None:
            opened, lines = (number, fence[2], fence[3].strip()), []
        else:
            body = textwrap.dedent("\n".join(lines)).strip("\n")
            yield Sample(page, *opened, body)
            opened = None
    if opened is not None:
        raise ValueError(f"{page}:{opened[0]}: this block has no end")
