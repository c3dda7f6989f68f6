"""Charts of a run as SVG: lines over time, readable on a phone. Pure: numbers in, text out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 360, 180
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 10, 24
"""Margins, in which the axes are written."""
GRID_LINES = 4


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart. Lines are told apart by their dashes, too, not by colour alone."""

    name: str
    values: Sequence[float]
    style: str
    """A class of the page's style sheet: `a`, `b` or `c`."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over the seconds of a run."""

    title: str
    unit: str
    seconds: Sequence[float]
    lines: Sequence[Line]
    logarithmic: bool = False

    def svg(self) -> str:
        """An image that says in words what it shows."""
        top = max((value for line in self.lines for value in line.values), default=0.0)
        scale = _logarithmic(top) if self.logarithmic else _linear(top)
        parts = [
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self._said())}">',
            *(_grid(value, scale) for value in scale.marks),
            *self._times(),
            *(_path(self.seconds, line, scale, self._end_s) for line in self.lines),
            "</svg>",
        ]
        return "".join(parts)

    @property
    def _end_s(self) -> float:
        return max([*self.seconds, 0.001])

    def _said(self) -> str:
        peaks = (f"{line.name} up to {number(max(line.values, default=0))}" for line in self.lines)
        return f"{self.title} in {self.unit}: {', '.join(peaks)}"

    def _times(self) -> list[str]:
        y = HEIGHT - 7
        end = f'<text x="{WIDTH - RIGHT}" y="{y}" text-anchor="end">{number(self._end_s)} s</text>'
        return [f'<text x="{LEFT}" y="{y}">0 s</text>', end]


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a value stands: 0 at the bottom, 1 at the top."""

    place: Callable[[float], float]
    marks: Sequence[float]
    """Values at which a line is drawn across."""

    def y(self, value: float) -> float:
        """In the units of the drawing."""
        height = HEIGHT - TOP - BOTTOM
        return HEIGHT - BOTTOM - height * min(1.0, max(0.0, self.place(value)))


def _linear(top: float) -> Scale:
    step = _round_up(max(top, 1e-9) / GRID_LINES)
    most = step * GRID_LINES
    return Scale(lambda value: value / most, [step * each for each in range(GRID_LINES + 1)])


def _round_up(value: float) -> float:
    """To 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(each * power for each in (1, 2, 5, 10) if each * power >= value * 0.999999)


def _logarithmic(top: float) -> Scale:
    """From a tenth up, by powers of ten."""
    powers = max(1, math.ceil(math.log10(max(top, 0.1) * 10)))
    marks = [0.1 * 10**each for each in range(powers + 1)]
    return Scale(lambda value: math.log10(max(value, 0.1) * 10) / powers, marks)


def _grid(value: float, scale: Scale) -> str:
    y = scale.y(value)
    across = f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
    return (
        f'{across}<text x="{LEFT - 5}" y="{y + 3.5:.1f}" text-anchor="end">{number(value)}</text>'
    )


def _path(seconds: Sequence[float], line: Line, scale: Scale, end_s: float) -> str:
    width = WIDTH - LEFT - RIGHT
    points = [
        f"{LEFT + width * at_s / end_s:.1f} {scale.y(value):.1f}"
        for at_s, value in zip(seconds, line.values, strict=True)
    ]
    if len(points) == 1:  # A run of a moment is a dot.
        points.append(points[0])
    return f'<path class="line {line.style}" d="M{"L".join(points)}"/>' if points else ""


def number(value: float) -> str:
    """As short as it can be read: `0.4`, `12`, `1,200`, `12 k`, `3.4 M`."""
    for size, unit in ((1_000_000, " M"), (10_000, " k")):
        if value >= size:
            part = value / (size if unit == " M" else 1000)
            return f"{part:.1f}".removesuffix(".0") + unit
    if value >= 100:  # noqa: PLR2004  beyond it a fraction says nothing
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0").rstrip(".")
