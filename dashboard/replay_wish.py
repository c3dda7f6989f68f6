"""What the form of a load test asks for, as words of `headgate replay`'s command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from headgate.dashboard.whole_number import whole_number

LAST_MAX = 1_000_000
"""Records of the log that one run takes at most."""
RATE_MAX = 100_000
"""Steps a second that can be asked for."""
SECONDS_MAX = 86_400
"""The longest run that ends by time: a day."""
BURST_MAX = 100_000

VERIFY = "--verify"
"""Sends nothing, and compares decisions instead."""

Pace = Literal["recorded", "speed", "rate", "fast"]
Shape = Literal["even", "ramp", "step", "soak", "burst"]
PACES: dict[Pace, str] = {
    "recorded": "as recorded",
    "speed": "faster by the factor below",
    "rate": "so many steps a second",
    "fast": "as fast as it goes",
}
SHAPES: dict[Shape, str] = {
    "even": "even",
    "ramp": "growing to the rate",
    "step": "growing in steps",
    "soak": "even, from the beginning again, for the seconds below",
    "burst": "so many at once, again and again",
}
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?")


class WrongWish(Exception):
    """A form that asks for what cannot be; the message is for the person."""


def words_of(form: Mapping[str, str], captures: Sequence[Path]) -> list[str]:
    """The words behind `headgate replay`, without those about where it goes. Raises WrongWish."""
    given = {name: text.strip() for name, text in form.items() if text.strip()}
    if given.get("goal") == "verify":
        return [*_source(given, captures), VERIFY]
    return [*_source(given, captures), *_pace(given), *_length(given)]


def _source(given: Mapping[str, str], captures: Sequence[Path]) -> Iterator[str]:
    name = given.get("source", "log")
    if name == "log":
        yield "log"
        if "last" not in given and "since" not in given:
            raise WrongWish("Say how many records of the log, or since when.")
    else:
        files = {path.name: path for path in captures}
        if name not in files:
            raise WrongWish(f"There is no capture {name!r} in the state folder any more.")
        yield str(files[name])
    if "last" in given:
        yield from ("--last", _whole(given, "last", "The number of records", LAST_MAX))
    for moment in ("since", "until"):
        if moment in given:
            if not _TIME.fullmatch(given[moment]):
                raise WrongWish(f"{given[moment]!r} is no time; choose one, in UTC.")
            yield from (f"--{moment}", f"{given[moment]}Z")


def _pace(given: Mapping[str, str]) -> Iterator[str]:
    pace, shape = given.get("pace", "recorded"), given.get("shape", "even")
    if pace not in get_args(Pace) or shape not in get_args(Shape):
        raise WrongWish("Choose how fast, and the shape, from the lists.")
    if shape != "even" and pace != "rate":
        raise WrongWish("A shape needs a rate: choose “so many steps a second”, and say how many.")
    if pace == "speed":
        yield from ("--speed", _above_zero(given, "speed", "The factor"))
    if pace == "rate":
        yield from ("--rate", _above_zero(given, "rate", "The rate"))
    if pace == "fast":
        yield "--as-fast"
    if shape != "even":
        yield from ("--shape", shape)
    if shape == "burst":
        yield from ("--burst", _whole(given, "burst", "How many come at once", BURST_MAX))


def _length(given: Mapping[str, str]) -> Iterator[str]:
    if "seconds" in given:
        yield from ("--for", f"{_whole(given, 'seconds', 'The seconds', SECONDS_MAX)}s")
    elif given.get("shape") == "soak":
        raise WrongWish("A soak needs the seconds after which it ends.")


def _whole(given: Mapping[str, str], name: str, what: str, most: int) -> str:
    text = given.get(name, "")
    number = whole_number(text)
    if number is None or not 0 < number <= most:
        raise WrongWish(f"{what} must be a whole number from 1 to {most:,}, not {text[:20]!r}.")
    return str(number)


def _above_zero(given: Mapping[str, str], name: str, what: str) -> str:
    text = given.get(name, "")
    if not _NUMBER.fullmatch(text) or not 0 < float(text) <= RATE_MAX:
        raise WrongWish(f"{what} must be a number above 0, up to {RATE_MAX:,}, not {text!r}.")
    return text
