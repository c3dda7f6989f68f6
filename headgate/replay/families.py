"""Payments with more than one step: each step waits until the one before it is done with."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from headgate.replay.steps import Step


@dataclass(frozen=True, slots=True)
class Due:
    """A step, and when it should be sent."""

    step: Step
    at: float
    """On the loop's clock."""
    shift_ms: int
    """By how much times in it move."""
    has_slot: bool = False
    """Whether its place among those in flight is taken already."""


@dataclass(slots=True)
class Family:
    """A payment whose source has more steps to come."""

    left: int
    """Children that are not done with."""
    accepted: bool | None = None
    """Whether its create was; None while that is open."""
    waiting: deque[Due] = field(default_factory=deque)
    busy: bool = False
    """Whether somebody works on what waits."""


class Families:
    """Known from a payment's create to the last step about it: payments without children never."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, str], Family] = {}

    def __len__(self) -> int:
        return len(self._open)

    def of(self, step: Step) -> Family | None:
        """The family of a step, begun by its create. None for a create without children, and for
        a child whose create is not in the source."""
        name = (step.place.turn, step.payment)
        if step.creates and step.children and name not in self._open:
            self._open[name] = Family(step.children)
        return self._open.get(name)

    def settle(self, step: Step, *, accepted: bool) -> None:
        """A step of a family is done with; with its last one the family is forgotten."""
        name = (step.place.turn, step.payment)
        family = self._open.get(name)
        if family is None:
            return
        if step.creates:
            family.accepted = bool(family.accepted) or accepted
            return
        family.left -= 1
        if family.left <= 0:
            del self._open[name]
