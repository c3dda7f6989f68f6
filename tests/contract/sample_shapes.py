"""Whether an answer is what the docs show: `…` is anything, ids and times are their like."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

MORE = "…"
_ID = re.compile(r"([a-z]+_)[A-Za-z0-9]{8,}")
_SECONDS_MIN = 1_000_000_000
"""From here on a number is a time in Unix seconds."""


class Differs(AssertionError):
    """What was answered is not what is shown."""


def parse(shown: str) -> Any:
    """JSON in which `…` may stand for further members, further items, or a value.

    Raises Differs when it is not JSON even so."""
    text = re.sub(r"([,{]\s*)…(?=\s*})|({\s*)…(?=\s*,)", r'\1\2"…": "…"', shown)
    text = re.sub(r"([,\[:]\s*)…(?=\s*[\],}])", r'\1"…"', text)
    try:
        return json.loads(text)
    except ValueError as error:
        raise Differs(f"this is no JSON: {error}") from None


def is_partial(shown: Any) -> bool:
    """Whether something was left out of it."""
    return MORE in json.dumps(shown, ensure_ascii=False)


def check_json(shown: Any, told: Any, where: str = "") -> None:
    """Raises Differs unless `told` has the members, types and values that `shown` has.

    What is shown without `…` has no other members or items."""
    if shown == MORE:
        return
    if isinstance(shown, dict) and isinstance(told, dict):
        _check_members(shown, told, where)
    elif isinstance(shown, list) and isinstance(told, list):
        _check_items(shown, told, where)
    elif isinstance(shown, str) and isinstance(told, str):
        if not same_text(shown, told):
            raise Differs(f"{where or 'the answer'} is {told!r}, not {shown!r}")
    elif type(shown) is not type(told) or not (shown == told or _both_seconds(shown, told)):
        raise Differs(f"{where or 'the answer'} is {told!r}, not {shown!r}")


def _check_members(shown: Mapping[str, Any], told: Mapping[str, Any], where: str) -> None:
    named = shown.keys() - {MORE}
    if lacking := named - told.keys():
        raise Differs(f"{where or 'the answer'} has no {sorted(lacking)}, only {sorted(told)}")
    if MORE not in shown and (more := told.keys() - named):
        raise Differs(f"{where or 'the answer'} also has {sorted(more)}; show that with …")
    for name in named:
        check_json(shown[name], told[name], f"{where}.{name}".lstrip("."))


def _check_items(shown: list[Any], told: list[Any], where: str) -> None:
    wanted = [item for item in shown if item != MORE]
    if len(told) < len(wanted) or (len(wanted) == len(shown) and len(told) > len(wanted)):
        raise Differs(f"{where or 'the answer'} has {len(told)} items, not {len(wanted)}")
    for number, item in enumerate(wanted):
        check_json(item, told[number], f"{where}[{number}]")


def _both_seconds(*values: object) -> bool:
    return all(type(value) is int and value > _SECONDS_MIN for value in values)


def same_text(shown: str, told: str) -> bool:
    """Equal, or alike where it is an id, a time, or has a `…` in it."""
    if MORE in shown:
        parts = [re.escape(part) for part in shown.split(MORE)]
        return re.fullmatch(".*".join(parts), told, re.DOTALL) is not None
    if (mine := _ID.fullmatch(shown)) and (other := _ID.fullmatch(told)):
        return mine[1] == other[1] and len(shown) == len(told)
    return shown == told or (_is_time(shown) and _is_time(told))


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def check_http(shown: str, status: int, headers: Mapping[str, str], body: str) -> None:
    """Raises Differs unless the answer has the status, headers and body that are shown."""
    head, _, shown_body = shown.partition("\n\n")
    first, *lines = head.splitlines()
    if not re.match(rf"HTTP/\S+ {status}\b", first):
        raise Differs(f"the status is {status}, not {first!r}")
    for line in lines:
        name, _, value = line.partition(":")
        told = headers.get(name.strip().lower())
        if told is None or not _line(value.strip()).fullmatch(told):
            raise Differs(f"the header {name} is {told!r}, not {value.strip()!r}")
    if shown_body.strip():
        check_body(shown_body, body)


def check_body(shown: str, body: str) -> None:
    """Raises Differs unless a body is as shown: as JSON where it is JSON, else line by line."""
    if shown.lstrip()[:1] in ("{", "["):
        try:
            told = json.loads(body)
        except ValueError:
            raise Differs(f"the answer is no JSON: {body[:200]!r}") from None
        check_json(parse(shown), told)
    else:
        check_lines(shown, body)


def check_lines(shown: str, told: str) -> None:
    """Raises Differs unless all lines shown are in what was told, in their order."""
    rest = told.splitlines()
    for line in filter(str.strip, shown.splitlines()):
        wanted = _line(line.rstrip())
        place = next((n for n, one in enumerate(rest) if wanted.fullmatch(one.rstrip())), None)
        if place is None:
            raise Differs(f"no line is like {line!r} in:\n{told[-2000:]}")
        rest = rest[place + 1 :]


def _line(shown: str) -> re.Pattern[str]:
    """Digits stand for as many digits as there are, `…` for anything, spaces for any space."""
    pieces = re.split(r"(\s*…\s*|\d+|\s+)", shown)
    kinds = [_piece(piece) for piece in pieces]
    return re.compile("".join(kinds), re.DOTALL)


def _piece(piece: str) -> str:
    if MORE in piece:
        return ".*"
    if piece.isdigit():
        return r"\d+"
    return r"\s+" if piece and piece.isspace() else re.escape(piece)
