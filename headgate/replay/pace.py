"""When each step should be sent: an open loop, whose plan does not wait for answers.

A closed loop sends the next request when an answer came. A system that stands still is then asked
nothing, and its standstill counts once: coordinated omission. Here a step is due when the plan
says so, and its latency counts from then, sent or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from headgate.replay.shapes import Shape


class Pace(Protocol):
    """A plan."""

    def due_s(self, number: int, at_ms: int) -> float | None:
        """When the step of this number, recorded at that time, is due, in seconds since the run
        began; None: as soon as there is room for it."""
        ...

    def __str__(self) -> str:
        """In words."""
        ...


@dataclass(frozen=True, slots=True)
class AsRecorded:
    """The recorded gaps, divided by a speed."""

    first_at_ms: int
    speed: float = 1.0

    def due_s(self, number: int, at_ms: int) -> float:
        """What is recorded out of order is due with what came before it."""
        del number
        return max(0, at_ms - self.first_at_ms) / 1000 / self.speed

    def __str__(self) -> str:
        return f"x{self.speed:g}"


@dataclass(frozen=True, slots=True)
class Shaped:
    """A load shape; the recorded times do not matter."""

    shape: Shape

    def due_s(self, number: int, at_ms: int) -> float:
        """By its number."""
        del at_ms
        return self.shape.due_s(number)

    def __str__(self) -> str:
        return str(self.shape)


@dataclass(frozen=True, slots=True)
class AsFast:
    """As many as there is room for."""

    def due_s(self, number: int, at_ms: int) -> None:
        """There is no plan that one could be behind of."""
        del number, at_ms

    def __str__(self) -> str:
        return "as fast as it goes"
