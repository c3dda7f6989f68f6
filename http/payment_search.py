"""`GET /payments/search?query=`: `amount>1000 AND status:'failed' AND metadata['k']:'v'`."""

from __future__ import annotations

import re

from headgate.http.problems_of_requests import ParameterInvalid, ParameterMissing
from headgate.http.query import Query
from headgate.streams.cards import quoted
from headgate.tables.conditions import Conditions
from headgate.tables.payment_search import (
    ORDERED,
    TEXTS,
    WORDS,
    Clause,
    SearchInvalid,
    clause,
    member,
)

NAME = "query"
CLAUSES_MAX = 10
_TEXT = r"'[^'\x00-\x1f]{0,255}'|\"[^\"\x00-\x1f]{0,255}\""
_CLAUSE = re.compile(
    rf"(?P<not>-?)(?P<field>[a-z_]{{1,32}})(?:\[(?P<key>{_TEXT})\])?"
    rf"\s*(?P<sign>:|>=|<=|>|<)\s*(?P<value>[0-9]{{1,16}}|{_TEXT})"
)
_GLUE = re.compile(r"\s+(AND|OR)\s+")
_FIELDS = ", ".join([*ORDERED, *WORDS, *TEXTS, "metadata['key']"])


def add_search(query: Query, conditions: Conditions) -> None:
    """Turn a search into one condition: clauses that are all joined by AND, or all by OR; a minus
    sign before a clause excludes. Raises ParameterMissing, ParameterInvalid."""
    text = query.one(NAME)
    if text is None:
        raise ParameterMissing("query is missing; send a search such as amount>1000.", param=NAME)
    clauses, values, glues = [], list[object](), list[str]()
    place, rest = 0, text.strip()
    while True:
        found = _CLAUSE.match(rest, place)
        if found is None:
            raise _invalid(f"nothing can be made of {quoted(rest[place:])}")
        sql, value = _condition(found)
        # A payment without the member is not excluded, but fits what excludes.
        clauses.append(f"({sql}) is not true" if found["not"] else f"({sql})")
        values.append(value)
        place = found.end()
        if place == len(rest):
            break
        glue = _GLUE.match(rest, place)
        if glue is None:
            raise _invalid(f"AND or OR must stand before {quoted(rest[place:])}")
        glues.append(glue[1])
        place = glue.end()
    if len(set(glues)) > 1:
        raise _invalid("AND and OR cannot be mixed")
    if len(clauses) > CLAUSES_MAX:
        raise _invalid(f"it has more than {CLAUSES_MAX} clauses")
    conditions.add(f" {glues[0] if glues else 'AND'} ".join(clauses), *values)


def _condition(found: re.Match[str]) -> Clause:
    """The SQL of a clause, and its value."""
    field, sign = found["field"], found["sign"]
    value = _bare(found["value"])
    if (field == "metadata") != (found["key"] is not None):
        raise _invalid("metadata is written metadata['key'], and nothing else has brackets")
    if field == "metadata" and sign != ":":
        raise _invalid("metadata is compared with a colon")
    if field == "metadata":
        return member(_bare(found["key"]), value)
    try:
        return clause(field, sign, value, _FIELDS)
    except SearchInvalid as error:
        raise _invalid(str(error)) from None


def _bare(value: str) -> str:
    """A value without its quotation marks."""
    return value[1:-1] if value[0] in "'\"" else value


def _invalid(why: str) -> ParameterInvalid:
    return ParameterInvalid(f"query cannot be read: {why}.", param=NAME)
