"""Every error that there is, by status and code."""

from __future__ import annotations

from headgate.http import (
    problems_of_access,
    problems_of_checkout,
    problems_of_deliveries,
    problems_of_payments,
    problems_of_replays,
    problems_of_requests,
    problems_of_services,
    problems_of_webhooks,
)
from headgate.http.problems import Problem

_MODULES = (
    problems_of_requests,
    problems_of_access,
    problems_of_payments,
    problems_of_checkout,
    problems_of_deliveries,
    problems_of_replays,
    problems_of_webhooks,
    problems_of_services,
)

KINDS: tuple[type[Problem], ...] = tuple(
    sorted(
        {
            kind
            for module in _MODULES
            for kind in vars(module).values()
            if isinstance(kind, type) and issubclass(kind, Problem) and "code" in vars(kind)
        },
        key=lambda kind: (kind.status, kind.code),
    )
)
"""Every class with a code of its own; the others are families."""
