"""The screens: what each is called, where it is, who sees it, and how it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard.viewer import Viewer

if TYPE_CHECKING:
    from headgate.dashboard.place import Place

Answer = Callable[["Place", Request, Viewer], Awaitable[Response]]
"""Answers a request of somebody who is signed in."""


@dataclass(frozen=True, slots=True)
class Path:
    """One path below `/dashboard`, such as `/payments/{id}`, and its methods."""

    path: str
    get: Answer | None = None
    post: Answer | None = None
    """Called only with a form whose `csrf` is the session's."""
    operators_only: bool = False
    """Whether everybody else is answered 404, as for a path that does not exist."""


@dataclass(frozen=True, slots=True)
class Screen:
    """A part of the dashboard with its entry in the navigation."""

    name: str
    title: str
    """The entry in the navigation; empty for none."""
    paths: Sequence[Path]
    """The first one is where the navigation leads."""

    def shown_to(self, viewer: Viewer) -> bool:
        """Whether its entry stands in this person's navigation."""
        return bool(self.title) and (viewer.is_operator or not self.paths[0].operators_only)
