"""What a verdict is made of: its lines, and how those that need no rows come about. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from headgate.replay.standing import Stands
from headgate.replay.tally import Tally

ERROR_FROM = 500
"""The first HTTP status that leaves open what became of a request."""
EXAMPLES_MAX = 20
"""What is wrong is counted to the last; told one by one are these many."""

Ok = Literal[True, False] | None
"""None: it could not be asked, and the check says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a verdict."""

    name: str
    """In words, such as `accepted = stored`."""
    ok: Ok
    expected: int | str
    found: int | str
    meaning: str
    """What it says when it holds; where it could not be asked, why."""
    invariant: str = ""
    """Its number in the specification of quality (07 §7)."""
    examples: Sequence[str] = ()
    """What is wrong, beginning with an id each; at most `EXAMPLES_MAX`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a run holds, line by line."""

    lines: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing that could be asked was wrong."""
        return all(line.ok is not False for line in self.lines)

    def document(self) -> dict[str, Any]:
        """The verdict for machines."""
        return {"holds": self.holds, "lines": [asdict(line) for line in self.lines]}


@dataclass(slots=True)
class Found:
    """What was found wrong about one thing: all of it counted, some of it told."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, faults: Iterable[str]) -> int:
        """Count these; how many they were."""
        before = self.count
        for fault in faults:
            self.count += 1
            if len(self.examples) < EXAMPLES_MAX:
                self.examples.append(fault)
        return self.count - before


def wrong_if(
    wrong: Found,
    name: str,
    counts: tuple[int, int],
    meaning: str,
    invariant: str = "",
) -> Check:
    """A line that holds when nothing was found wrong; `counts` are what was expected and found."""
    return Check(name, wrong.count == 0, *counts, meaning, invariant, tuple(wrong.examples))


def answered(tally: Tally) -> Check:
    """Whether every step that was sent has an answer that is final, and its own."""
    errors = {status: n for status, n in tally.answered.items() if not 0 < status < ERROR_FROM}
    given_up, anew = tally.given_up | Counter(errors), tally.refused_anew
    final = tally.answered.total() - given_up.total() - anew.total()
    examples = [
        *(f"{n} steps ended with {last or 'no answer'}" for last, n in sorted(given_up.items())),
        *(f"{n} steps: {code} now, but not when they were recorded" for code, n in anew.items()),
    ]
    wrong = Found(tally.sent - final, examples)
    meaning = "every step was answered for good, repeats included"
    return wrong_if(wrong, "sent = answered", (tally.sent, final), meaning)


def unchanged(before: Stands, after: Stands) -> list[Check]:
    """`--same-ids`: the same records again must add nothing anywhere."""
    meanings = {
        "payments": "no payment was added",
        "versions": "no payment was changed",
        "facts": "no fact was added",
        "operations": "no command was decided again",
        "children": "no capture, void, refund or increment was added",
        "deliveries": "no webhook was made",
        "attempts": "no webhook was sent again",
    }
    lines = []
    for name, meaning in meanings.items():
        was, now = getattr(before, name), getattr(after, name)
        lines.append(Check(f"same {name}", was == now, was, now, meaning, "I4"))
    return lines


def as_repeated(asked: int, different: Sequence[str], why: str = "") -> Check:
    """I12: what became of the requests that were asked a second time."""
    if not asked:
        return Check("same key, same answer", None, 0, "not asked", why, "I12")
    meaning = "requests of the run, asked again under their keys, had the same status and bytes"
    counts = (asked, asked - len(different))
    wrong = Found(len(different), list(different[:EXAMPLES_MAX]))
    return wrong_if(wrong, "same key, same answer", counts, meaning, "I12")
