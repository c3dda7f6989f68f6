"""What people search payments by, and files that a spreadsheet opens safely."""

from __future__ import annotations

import contextlib
import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.dashboard.export import cell, lines
from headgate.dashboard.qualifiers import selection
from headgate.tables.payment_search import SearchInvalid


def sql(text: str) -> list[tuple[str, object]]:
    return [(one.sql, one.value) for one in selection(text).clauses]


def test_the_example_of_the_specification() -> None:
    found = sql("status:failed method:upi amount:>1000 ref:sim_1")
    assert found == [
        ("status = {}", "failed"),
        ("method = {}", "upi"),
        ("amount > {}", 1000),
        ("record ->> 'acquirer_reference' = {}", "sim_1"),
    ]


@pytest.mark.parametrize(
    ("text", "clauses", "pinned"),
    [
        ("", [], False),
        ("pay_abc", [("id = {}", "pay_abc")], True),
        (" order-7 ", [("order_id = {}", "order-7")], True),
        ('order:"a b"', [("order_id = {}", "a b")], True),
        ("-order:7", [("(order_id = {}) is not true", "7")], False),
        ("merchant:mer_1", [("merchant_id = {}", "mer_1")], False),
        ("amount:>=5 amount:<9", [("amount >= {}", 5), ("amount < {}", 9)], False),
        ("metadata.cart:77", [("record @> {}::jsonb", '{"metadata":{"cart":"77"}}')], False),
    ],
)
def test_parts_become_conditions_with_values(
    text: str, clauses: list[tuple[str, object]], pinned: bool
) -> None:
    assert sql(text) == clauses
    assert selection(text).pinned is pinned


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("status:lost", "it must be one of pending, success, failed, canceled"),
        ("colour:red", "what can be is status"),
        ("amount:x", "whole number of minor units"),
        ("created:soon", "it must be a time"),
        ("status:>failed", "only equal"),
        ('order:"a', "nothing can be made of"),
        ("a\x00b", "printable"),
        ("x" * 501, "at most 500"),
        (" ".join(["amount:1"] * 11), "at most 10 parts"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, why: str) -> None:
    with pytest.raises(SearchInvalid, match=why):
        selection(text)


@given(st.text())
def test_values_never_stand_in_the_sql(text: str) -> None:
    """Whatever people type is read, or refused."""
    with contextlib.suppress(SearchInvalid):
        assert all(one.sql.count("{}") == 1 for one in selection(text).clauses)


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_cell_that_could_be_a_formula_is_text(begin: str) -> None:
    assert cell(f"{begin}cmd|' /C calc'!A0").startswith("'")


def test_a_number_stays_a_number_and_nothing_is_empty() -> None:
    assert [cell(-5), cell(None), cell("order-7")] == ["-5", "", "order-7"]


def test_quotes_and_line_ends_stay_in_their_cell() -> None:
    row = ['a"b', "c,d", "e\r\nf"]
    assert list(csv.reader(io.StringIO(lines([row]), newline=""))) == [row]
