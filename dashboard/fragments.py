"""What live regions are made of, and the server-sent events that carry their changes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Fragment:
    """An element that is shown: its id, and its HTML with that id."""

    id: str
    html: str
    within: str = ""
    """The id of the table body that it is a row of. Rows carry `data-k` and stand in descending
    order of it. Empty for an element that is always there."""


Render = Callable[[], Awaitable[Sequence[Fragment]]]
"""All elements of a region as they are now, rows in the order in which they stand."""
Shown = Mapping[str, Fragment]
"""A region at one moment: its elements by id."""

_PLAIN = re.compile(r"[A-Za-z][\w-]*")


def update(before: Shown, now: Shown) -> str:
    """What turns one state of a region into another; empty when nothing changed.

    An element that stays is morphed and not replaced: whoever has the focus in it keeps it."""
    changed = [one for one in now.values() if before.get(one.id) != one]
    new = [one for one in changed if one.within and one.id not in before]
    stayed = [one for one in changed if one not in new]
    gone = [one for one in before.values() if one.id not in now]
    bodies = dict.fromkeys(one.within for one in new)
    parts = [_upsert(body, [one for one in new if one.within == body]) for body in bodies]
    parts += [_partial(one.id, "outerMorph", one.html) for one in stayed]
    parts += [_partial(one.id, "delete", "") for one in gone]
    return "".join(parts)


def whole(now: Shown, bodies: Iterable[str]) -> str:
    """The region as it is, for somebody who may have anything: rows that are no longer there go
    too. `bodies` are the table bodies that may be empty now."""
    names = dict.fromkeys([*bodies, *(one.within for one in now.values() if one.within)])
    parts = [_partial(name, "innerMorph", _rows(now, name)) for name in names]
    parts += [_partial(one.id, "outerMorph", one.html) for one in now.values() if not one.within]
    return "".join(parts)


def _rows(now: Shown, body: str) -> str:
    return "".join(one.html for one in now.values() if one.within == body)


def _upsert(body: str, rows: Sequence[Fragment]) -> str:
    html = "".join(row.html for row in rows)
    return f'<hx-upsert hx-target="{_at(body)}" key="data-k" sort="desc">{html}</hx-upsert>'


def _partial(target: str, swap: str, html: str) -> str:
    return f'<hx-partial hx-target="{_at(target)}" hx-swap="{swap}">{html}</hx-partial>'


def _at(element_id: str) -> str:
    """The selector of an id, whatever stands in it."""
    if _PLAIN.fullmatch(element_id):
        return f"#{element_id}"
    quoted = element_id.replace("\\", "\\\\").replace("'", "\\'")
    return escape(f"[id='{quoted}']")


def event(text: str, event_id: str) -> bytes:
    """A server-sent event that is swapped in; the browser sends its id when it comes back."""
    return f"id: {event_id}\n{_data(text)}\n\n".encode()


def named(name: str, text: str, retry_ms: int | None = None) -> bytes:
    """A server-sent event for scripts; it changes no id."""
    retry = "" if retry_ms is None else f"retry: {retry_ms}\n"
    return f"event: {name}\n{retry}{_data(text)}\n\n".encode()


def _data(text: str) -> str:
    return "\n".join(f"data: {line}" for line in text.splitlines() or [""])
