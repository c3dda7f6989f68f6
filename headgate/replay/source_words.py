"""The source of a run in words: the options that name its every offset are for programs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence


def source_told(words: Sequence[str]) -> str:
    """What a person reads of a source whose options are `words`, as `frozen` gives them."""
    first, *options = words
    if first != "log":
        return " ".join([first, *(shlex.quote(word) for word in options)])
    said: dict[str, list[str]] = {}
    for option, value in _pairs(options):
        said.setdefault(option, []).append(value)
    ends, begins = (_sum(said.pop(option, [])) for option in ("--end", "--begin"))
    topics = " and ".join(said.pop("--topic", []))
    others = [
        f"{option} {shlex.quote(one)}" for option, all_ in said.items() for one in all_ if one
    ]
    return " ".join([f"log, {ends - begins:,} offsets of {topics}", *others])


def _pairs(options: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(options[::2], options[1::2], strict=True)


def _sum(positions: Sequence[str]) -> int:
    """Of the offsets in `payments.facts:3:17`."""
    return sum(int(one.rpartition(":")[2]) for one in positions)
