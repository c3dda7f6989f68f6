"""The conditions of a list: clauses that stand in the code, with values that never do."""

from __future__ import annotations


class Conditions:
    """Clauses joined by `and`. Values travel as numbered parameters behind the statement's own."""

    def __init__(self, parameters: int) -> None:
        """`parameters` is how many the statement has already."""
        self._number = parameters
        self._clauses: list[str] = []
        self.values: list[object] = []

    def add(self, clause: str, *values: object) -> None:
        """One more clause; each `{}` in it stands for the next value."""
        numbers = [f"${self._number + place}" for place in range(1, len(values) + 1)]
        self._clauses.append(clause.format(*numbers))
        self._number += len(values)
        self.values += values

    @property
    def where(self) -> str:
        """What goes into the statement."""
        return " and ".join(f"({clause})" for clause in self._clauses) or "true"
