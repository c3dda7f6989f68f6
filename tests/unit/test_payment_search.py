"""The search of payments: a small language, read strictly."""

from __future__ import annotations

import contextlib
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.http.exchange import Exchange
from headgate.http.payment_search import add_search
from headgate.http.problems_of_requests import ParameterInvalid, ParameterMissing
from headgate.http.query import Query
from headgate.tables.conditions import Conditions


def searched(*texts: str) -> Conditions:
    """The conditions of a search."""
    raw = urlencode([("query", text) for text in texts]).encode()
    conditions = Conditions(3)
    add_search(Query(Exchange({"headers": [], "query_string": raw})), conditions)
    return conditions


def test_the_example_of_the_specification() -> None:
    found = searched("amount>1000 AND status:'failed' AND metadata['k']:'v'")
    assert found.where == ("((amount > $4) AND (status = $5) AND (record @> $6::jsonb))")
    assert found.values == [1000, "failed", '{"metadata":{"k":"v"}}']


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("amount:5", "((amount = $4))"),
        ("  amount >= 5 ", "((amount >= $4))"),
        ("created<'2026-11-23'", "((created_at < $4))"),
        ("created>1763914029", "((created_at > $4))"),
        (
            '-order_id:"a b" OR customer_id:\'c"d\'',
            "((order_id = $4) is not true OR (customer_id = $5))",
        ),
        ("state:'captured'", "((state = $4))"),
        ("currency:'INR' AND method:'upi'", "((currency = $4) AND (method = $5))"),
        ("order_id:12", "((order_id = $4))"),
    ],
)
def test_clauses_become_conditions_with_parameters(text: str, where: str) -> None:
    assert searched(text).where == where


@pytest.mark.parametrize(
    "text",
    [
        "",
        "amount",
        "amount>",
        "amount>'x'",
        "amount>-1",
        "amount>1 AND",
        "amount>1 amount<2",
        "amount>1 and amount<2",
        "amount>1 AND amount<2 OR amount>3",
        "status:'paid'",
        "status>'failed'",
        "status:failed",
        "metadata:'v'",
        "metadata['k']>'v'",
        "status['k']:'failed'",
        "record:'x'",
        "order_id:'a\x00b'",
        "order_id:'a' or 1=1 --'",
        " AND ".join(["amount>1"] * 11),
        "created>'yesterday'",
    ],
)
def test_everything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        searched(text)
    assert refused.value.param == "query"


def test_a_search_needs_a_query() -> None:
    with pytest.raises(ParameterMissing):
        searched()


@given(st.text(alphabet="amount>:<='\"[] ANDOR-0123456789statumed\x00é", max_size=80))
def test_no_text_reaches_the_statement(text: str) -> None:
    with contextlib.suppress(ParameterInvalid):
        found = searched(text)
        assert set(found.where) <= set("(){}$0123456789<>=@: abcdefghijklmnopqrstuvwxyz_ANDOR")
        assert found.where.count("$") == len(found.values)
