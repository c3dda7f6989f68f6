"""The filters of the list of payments, as conditions on their rows."""

from __future__ import annotations

import orjson

from headgate.http.query import Query, amount, moment
from headgate.streams.money import MINOR_DIGITS
from headgate.tables.conditions import Conditions
from headgate.tables.payment_search import METHODS, STATES, STATUSES


def add_filters(query: Query, conditions: Conditions) -> None:
    """Turn what the query asks for into conditions. Raises ParameterInvalid."""
    status = query.word("status", STATUSES)
    if status is not None:
        # One of our own words, in the text: the planner then knows the index of its payments.
        conditions.add(f"status = '{status}'")
    for name, allowed in (("state", STATES), ("method", METHODS), ("currency", MINOR_DIGITS)):
        word = query.word(name, allowed)
        if word is not None:
            conditions.add(f"{name} = {{}}", word)
    for name in ("order_id", "customer_id"):
        text = query.text(name)
        if text is not None:
            conditions.add(f"{name} = {{}}", text)
    add_bounds(query, conditions)
    members = query.members("metadata")
    if members:
        conditions.add("record @> {}::jsonb", orjson.dumps({"metadata": members}).decode())


def add_bounds(query: Query, conditions: Conditions) -> None:
    """The bounds of time and amount, which refunds have too. Raises ParameterInvalid."""
    for comparison, at in query.bounds("created", moment):
        conditions.add(f"created_at {comparison} {{}}", at)
    for comparison, least in query.bounds("amount", amount):
        conditions.add(f"amount {comparison} {{}}", least)
