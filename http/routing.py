"""Routes: one path, its methods, and answers as JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import orjson
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from headgate.http.exchange import ROUTE, Exchange
from headgate.http.problems import Json
from headgate.http.problems_of_requests import MethodNotAllowed, ResourceMissing
from headgate.streams.cards import quoted

Handler = Callable[[Exchange], Awaitable[ASGIApp]]
"""Answers with a response, or with an application that goes on answering."""


class Resource:
    """All methods of one path; the others are answered 405 with `Allow`."""

    def __init__(self, template: str, handlers: Mapping[str, Handler]) -> None:
        self.template = template
        self.handlers = dict(handlers)
        if "GET" in handlers:
            self.handlers["HEAD"] = handlers["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[ROUTE] = self.template
        handler = self.handlers.get(scope["method"])
        if handler is None:
            raise MethodNotAllowed(scope["method"], sorted(self.handlers))
        response = await handler(Exchange(scope))
        await response(scope, receive, send)


def at(template: str, slashed: str | None = None, **handlers: Handler) -> Route:
    """The route of a path, with a handler by method: `at("/health", GET=health)`. The part
    `slashed` of the path may hold slashes."""
    path = template.replace(f"{{{slashed}}}", f"{{{slashed}:path}}")
    return Route(path, Resource(template, handlers))


def joined(*groups: Sequence[Route]) -> list[Route]:
    """The routes of all groups in order; of those with one path one with all their methods."""
    by_path: dict[str, Route] = {}
    for route in (route for group in groups for route in group):
        known = by_path.setdefault(route.path, route)
        if known is not route:
            _resource(known).handlers |= _resource(route).handlers
    return list(by_path.values())


def _resource(route: Route) -> Resource:
    assert isinstance(route.app, Resource)  # noqa: S101  `at` makes no others
    return route.app


async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """The answer to every path that is no route."""
    del receive, send
    raise ResourceMissing(f"There is nothing at {quoted(scope['path'], 200)}; see /openapi.json.")


def json_answer(
    content: Json | bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer in JSON; bytes are JSON already."""
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    return Response(body, status, headers, "application/json")
