"""What payments can be searched by, as conditions on their rows. The API's search and the
dashboard's qualifiers are two ways of writing the same."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, get_args

import orjson

from headgate.streams.cards import quoted
from headgate.streams.commands import Method
from headgate.streams.errors import HeadgateError
from headgate.streams.facts import State, Status
from headgate.streams.money import MINOR_DIGITS
from headgate.tables.search_values import ValueInvalid, amount, moment

STATUSES: tuple[Status, ...] = get_args(Status)
STATES: tuple[State, ...] = get_args(State)
METHODS: tuple[Method, ...] = get_args(Method)

WORDS: dict[str, Collection[str]] = {
    "status": STATUSES,
    "state": STATES,
    "method": METHODS,
    "currency": MINOR_DIGITS,
}
"""Fields whose values are few."""
TEXTS = ("order_id", "customer_id")
"""Fields that are compared with what a merchant has sent."""
ORDERED = {"amount": "amount", "created": "created_at"}
"""Fields that can be greater or less, and their columns."""
SIGNS = (":", ">=", "<=", ">", "<")
"""How a field is compared with a value; the colon is for equality."""


class SearchInvalid(HeadgateError):
    """Nothing can be searched by this; the message says why and has no full stop."""


class Clause(NamedTuple):
    """A condition in SQL with `{}` for its value."""

    sql: str
    value: object


def clause(field: str, sign: str, value: str, fields: str) -> Clause:
    """The condition that a field stands so to a value; `fields` names for people what there is.
    Raises SearchInvalid."""
    if field in ORDERED:
        return Clause(f"{ORDERED[field]} {'=' if sign == ':' else sign} {{}}", _read(field, value))
    if field not in WORDS and field not in TEXTS:
        raise SearchInvalid(f"{quoted(field)} cannot be searched; what can be is {fields}")
    if sign != ":":
        raise SearchInvalid(f"{field} is compared with a colon")
    if field in WORDS and value not in WORDS[field]:
        words = ", ".join(WORDS[field])
        raise SearchInvalid(f"{field} is {quoted(value)}; it must be one of {words}")
    return Clause(f"{field} = {{}}", value)


def member(key: str, value: str) -> Clause:
    """The condition that a payment's metadata have this member."""
    return Clause("record @> {}::jsonb", orjson.dumps({"metadata": {key: value}}).decode())


def _read(field: str, value: str) -> object:
    try:
        return amount(field, value) if field == "amount" else moment(field, value)
    except ValueInvalid as error:
        raise SearchInvalid(str(error).removesuffix(".")) from None
