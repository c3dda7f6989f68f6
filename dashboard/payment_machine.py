"""A payment's states as a drawing, made from the table that decisions are made from."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from headgate.streams.facts import State
from headgate.tables.transitions import arrows

WIDTH, HEIGHT = 132, 34
"""Of a state's box, in the drawing's own units."""
PLACES: dict[State, tuple[int, int]] = {
    "created": (4, 93), "requires_action": (170, 10), "processing": (170, 93),
    "in_doubt": (170, 176), "failed": (340, 10), "canceled": (520, 10), "authorized": (340, 93),
    "expired": (520, 93), "partially_captured": (340, 176), "captured": (520, 176),
}  # fmt: skip
"""Where each box begins: left and top."""


class Box(NamedTuple):
    """A state."""

    state: State
    x: int
    y: int
    kind: str
    """`now`, `was` or empty: how it is drawn."""


class Line(NamedTuple):
    """An arrow from the border of one box to that of another."""

    x1: float
    y1: float
    x2: float
    y2: float
    kind: str


class Way(NamedTuple):
    """The same for those who read: what leads from a state to others."""

    source: str
    target: str
    triggers: str


class Machine(NamedTuple):
    """The drawing, and its words."""

    boxes: list[Box]
    lines: list[Line]
    ways: list[Way]


def machine(states: Iterable[State], now: State) -> Machine:
    """The machine of a payment that went through `states`, in their order, and is in `now`."""
    path = list(states)
    taken = set(pairwise(path))
    boxes = [
        Box(state, x, y, "now" if state == now else "was" if state in path else "")
        for state, (x, y) in PLACES.items()
    ]
    pairs = [(source, target) for source, target in arrows() if source is not None]
    lines = [_line(one, other, "was" if (one, other) in taken else "") for one, other in pairs]
    lines.sort(key=lambda line: line.kind)
    ways = [
        Way(source or "nothing", target, ", ".join(triggers))
        for (source, target), triggers in arrows().items()
    ]
    return Machine(boxes, lines, ways)


def _line(source: State, target: State, kind: str) -> Line:
    (x1, y1), (x2, y2) = _middle(source), _middle(target)
    across, down = x2 - x1, y2 - y1
    # To the border of the box, on the straight way between the two middles.
    share = min(WIDTH / 2 / abs(across) if across else 1.0, HEIGHT / 2 / abs(down) if down else 1.0)
    dx, dy = across * share, down * share
    return Line(round(x1 + dx, 1), round(y1 + dy, 1), round(x2 - dx, 1), round(y2 - dy, 1), kind)


def _middle(state: State) -> tuple[float, float]:
    x, y = PLACES[state]
    return x + WIDTH / 2, y + HEIGHT / 2
