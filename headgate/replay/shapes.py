"""Load shapes: when the steps of a run are due, as a function of their number alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol


class Shape(Protocol):
    """A load over time. Due times never fall, and do not depend on how answers come."""

    def due_s(self, number: int) -> float:
        """Seconds from the run's beginning to the step of this number, counted from 0."""
        ...

    def __str__(self) -> str:
        """In words."""
        ...


@dataclass(frozen=True, slots=True)
class Steady:
    """One rate all the time."""

    per_s: float

    def due_s(self, number: int) -> float:
        """Evenly spaced."""
        return number / self.per_s

    def __str__(self) -> str:
        return f"{self.per_s:g}/s"


@dataclass(frozen=True, slots=True)
class Ramp:
    """A rate that grows evenly, then stays."""

    from_per_s: float
    to_per_s: float
    over_s: float

    def due_s(self, number: int) -> float:
        """After t seconds of the ramp there were `from` t + (`to` - `from`) t² / (2 `over`) steps;
        this is the t at which there were so many."""
        on_the_way = (self.from_per_s + self.to_per_s) / 2 * self.over_s
        if number >= on_the_way:
            return self.over_s + (number - on_the_way) / self.to_per_s
        slope = (self.to_per_s - self.from_per_s) / self.over_s
        # The root of the quadratic in the form that loses nothing when the slope is small.
        root = math.sqrt(self.from_per_s**2 + 2 * slope * number)
        return 2 * number / (self.from_per_s + root) if number else 0.0

    def __str__(self) -> str:
        return f"ramp from {self.from_per_s:g}/s to {self.to_per_s:g}/s in {self.over_s:g} s"


@dataclass(frozen=True, slots=True)
class Stairs:
    """A rate that grows by the same amount at a time, until it is whole; then it stays."""

    to_per_s: float
    stairs: int
    every_s: float

    def due_s(self, number: int) -> float:
        """Evenly spaced on every stair."""
        began_s = 0.0
        for stair in range(1, self.stairs):
            per_s = self.to_per_s * stair / self.stairs
            if number < per_s * self.every_s:
                return began_s + number / per_s
            number -= math.floor(per_s * self.every_s)
            began_s += self.every_s
        return began_s + number / self.to_per_s

    def __str__(self) -> str:
        return f"{self.stairs} steps of {self.every_s:g} s up to {self.to_per_s:g}/s"


@dataclass(frozen=True, slots=True)
class Burst:
    """A steady rate, and every so often many at once on top of it."""

    per_s: float
    size: int
    every_s: float

    def due_s(self, number: int) -> float:
        """A round is what comes steadily, then the burst at its end, all due at one moment."""
        steady = math.floor(self.per_s * self.every_s)
        rounds, place = divmod(number, steady + self.size)
        return rounds * self.every_s + min(place / self.per_s, self.every_s)

    def __str__(self) -> str:
        return f"{self.per_s:g}/s, and {self.size} at once every {self.every_s:g} s"
