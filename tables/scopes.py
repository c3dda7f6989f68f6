"""Scopes: what an API key may do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

Scope = Literal[
    "payments:read",
    "payments:write",
    "refunds:write",
    "events:read",
    "webhooks:read",
    "webhooks:write",
    "keys:read",
    "keys:write",
    "test:write",
    "operator",
]

SCOPES: tuple[Scope, ...] = get_args(Scope)
OPERATOR: Scope = "operator"
"""What only people who run Headgate may do; the command line alone grants it."""
DEFAULT_SCOPES = frozenset(SCOPES) - {OPERATOR}
"""What a new key may do unless it is told otherwise."""
READING = frozenset(scope for scope in SCOPES if scope.endswith(":read"))
"""What a merchant may do that is not active."""

MEANINGS: dict[Scope, str] = {
    "payments:read": "read payments, captures, refunds and operations",
    "payments:write": "take, capture, cancel and raise payments",
    "refunds:write": "refund, cancel refunds, reverse payments",
    "events:read": "read and follow events",
    "webhooks:read": "read webhook deliveries and settings",
    "webhooks:write": "change where webhooks go, and send them again",
    "keys:read": "read the merchant and its API keys",
    "keys:write": "create, rotate and revoke API keys, and change the merchant",
    "test:write": "steer the simulated bank (test mode)",
    "operator": "resolve payments that need a person, ask the bank about them; command line only",
}


def in_order(scopes: Iterable[str]) -> list[str]:
    """The scopes as people read them: in the order above, unknown ones last."""
    found = set(scopes)
    known = [scope for scope in SCOPES if scope in found]
    return [*known, *sorted(found.difference(known))]
