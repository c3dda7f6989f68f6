"""The parameters of operations, as the OpenAPI document describes them."""

from __future__ import annotations

import re
from typing import Any, get_args

from headgate.http.children_reading import REFUND_STATES
from headgate.http.openapi_operation import Operation
from headgate.http.payment_reading import PLURALS
from headgate.http.query import COMPARISONS
from headgate.http.webhook_deliveries import EXACT, EXPANDED
from headgate.http.webhook_deliveries import STATUSES as DELIVERY_STATUSES
from headgate.http.webhook_replays import STATUSES as REPLAY_STATUSES
from headgate.http.webhooks import OFFSET_MAX
from headgate.streams.facts import FactType
from headgate.tables.payment_search import METHODS, STATES, STATUSES

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TIME: Schema = {
    "type": "string",
    "description": "ISO 8601 such as `2026-11-23T16:07:09Z`, a day, or unix seconds.",
}
_AMOUNT: Schema = {"type": "integer", "minimum": 0, "description": "In minor units."}

PAGE = ("limit", "starting_after", "ending_before")
"""The parameters of every list that pages both ways."""
CREATED = tuple(f"created[{word}]" for word in COMPARISONS)
AMOUNT = tuple(f"amount[{word}]" for word in COMPARISONS)

_QUERY: dict[str, Schema] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
    "offset": {"type": "integer", "minimum": 0, "maximum": OFFSET_MAX, "default": 0},
    "starting_after": {
        "type": "string",
        "description": "An id, or the `next_cursor` of the page before; what follows it.",
    },
    "ending_before": {"type": "string", "description": "An id; what precedes it is newer."},
    "status": {"type": "string", "enum": list(STATUSES)},
    "refund_status": {"type": "string", "enum": list(REFUND_STATES)},
    "replay_status": {"type": "string", "enum": list(REPLAY_STATUSES)},
    "endpoint_id": _TEXT,
    "state": {"type": "string", "enum": list(STATES)},
    "method": {"type": "string", "enum": list(METHODS)},
    "currency": {"type": "string", "description": "An ISO 4217 code.", "examples": ["INR"]},
    "order_id": _TEXT,
    "customer_id": _TEXT,
    "payment_id": _TEXT,
    **dict.fromkeys(CREATED, _TIME),
    **dict.fromkeys(AMOUNT, _AMOUNT),
    "metadata": {
        "type": "object",
        "additionalProperties": _TEXT,
        "description": "`metadata[key]=value`: payments with this metadata.",
    },
    "query": {
        "type": "string",
        "description": "Clauses joined by `AND`, or all by `OR`; `-` excludes. `:` is equality; "
        "`amount` and `created` also take `>`, `>=`, `<`, `<=`.",
        "examples": ["amount>1000 AND status:'failed' AND metadata['k']:'v'"],
    },
    "expand[]": {"type": "array", "items": {"type": "string", "enum": list(PLURALS)}},
    "as_of": {
        "type": "string",
        "minLength": 1,
        "description": "A time, or a position such as `payments.commands/3@18422`: how it was.",
    },
    "after": {
        "type": "string",
        "description": "The `next_cursor` of the page before; `genesis` is the beginning, `now` "
        "what comes from now on.",
    },
    "types[]": {"type": "array", "items": {"type": "string", "enum": list(get_args(FactType))}},
    "delivery_status": {"type": "string", "enum": list(DELIVERY_STATUSES)},
    "expanded_attempts": {"type": "array", "items": {"type": "string", "enum": list(EXPANDED)}},
    **dict.fromkeys(EXACT, _TEXT),
    "pk": {"type": "string", "description": "The publishable key."},
    "seen": {
        "type": "string",
        "description": "The status that is known: the answer waits for another one.",
    },
    "wait": {"type": "integer", "minimum": 0, "default": 0, "description": "Seconds, at most."},
    "confirm": {"type": "string", "description": "The id of the key that asks, to end itself."},
    "object": {"type": "string", "description": "The id of a payment, capture, refund ..."},
}
_REQUIRED = frozenset({"query"})
_SENT_AS = {
    "refund_status": "status",
    "delivery_status": "status",
    "replay_status": "status",
    "expanded_attempts": "expand[]",
}
_STYLES: dict[str, Schema] = {"metadata": {"style": "deepObject", "explode": True}}

_PREFER_HEADER: Schema = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`wait=n` waits up to n seconds, 30 at most: with a create for the end of the "
    "payment, else for the decision. `respond-async` does not wait for the decision (202).",
    "schema": {"type": "string", "examples": ["wait=10"]},
}
_KEY_HEADER: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes repeats safe: one key stands for one request, for ever.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_POSITION = r"[a-z0-9_.]*payments\.commands/[0-9]{1,6}@[0-9]{1,15}"
_CONSISTENT_WITH: Schema = {
    "name": "Consistent-With",
    "in": "header",
    "required": False,
    "description": "A `Log-Position`, or several with commas: the answer waits until it shows what "
    "was decided there.",
    "schema": {"type": "string", "pattern": f"^{_POSITION}( *, *{_POSITION})*$"},
}


def parameters(operation: Operation) -> list[Schema]:
    """All parameters of an operation."""
    found: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT}
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]
    found += [
        {
            "name": _SENT_AS.get(name, name),
            "in": "query",
            "required": name in _REQUIRED,
            "schema": _QUERY[name],
            **_STYLES.get(name, {}),
        }
        for name in operation.query
    ]
    if operation.keyed or operation.repeatable:
        found.append(_KEY_HEADER)
    if operation.keyed:
        found.append(_PREFER_HEADER)
    if operation.waits:
        found.append(_CONSISTENT_WITH)
    return found
