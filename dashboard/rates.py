"""Rates of what is only ever counted: how much came in the last seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from typing import Any

WINDOW_S = 10.0
"""What a rate is taken over, at most."""
SPAN_MIN_S = 0.9
"""What it is taken over at least; before that nothing is known."""


class Rates:
    """The counts of the last seconds."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, Mapping[Any, int]]] = deque()

    def note(self, at_s: float, counts: Mapping[Any, int]) -> None:
        """What is counted at a time, on a clock that never goes back."""
        self._counts.append((at_s, counts))
        while len(self._counts) > 1 and self._counts[0][0] < at_s - WINDOW_S:
            self._counts.popleft()

    def per_s(self, key: Hashable) -> float | None:
        """How much came a second; None when it is not known yet, or was counted from anew."""
        if not self._counts:
            return None
        (first_s, first), (last_s, last) = self._counts[0], self._counts[-1]
        if last_s - first_s < SPAN_MIN_S or key not in first or key not in last:
            return None
        came = last[key] - first[key]
        return came / (last_s - first_s) if came >= 0 else None


def per_second(rate: float | None) -> str:
    """A rate for people: `0`, `0.4/s`, `312/s`; `-` when it is not known."""
    if rate is None:
        return "-"
    return "0" if rate == 0 else f"{rate:.1f}/s" if rate < 10 else f"{rate:,.0f}/s"  # noqa: PLR2004
