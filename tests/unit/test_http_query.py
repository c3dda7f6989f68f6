"""Queries: filters, bounds and positions are read strictly, and what is wrong is named."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.http.exchange import Exchange
from headgate.http.payment_filters import add_filters
from headgate.http.positions import Positions
from headgate.http.problems_of_requests import ParameterInvalid
from headgate.http.query import Query, amount, moment
from headgate.streams.settings import Settings
from headgate.tables.conditions import Conditions

POSITIONS = Positions(Settings(partitions=4))


def asked(*pairs: tuple[str, str]) -> Query:
    """A request with this query."""
    return Query(Exchange({"headers": [], "query_string": urlencode(pairs).encode()}))


def filtered(*pairs: tuple[str, str]) -> Conditions:
    """The conditions of a list of payments behind three parameters."""
    conditions = Conditions(3)
    query = asked(*pairs)
    add_filters(query, conditions)
    query.check_brackets()
    return conditions


def test_without_filters_every_payment_fits() -> None:
    assert (filtered().where, filtered().values) == ("true", [])
    assert filtered(("anything", "goes")).where == "true"


def test_filters_are_joined_and_their_values_are_parameters() -> None:
    found = filtered(
        ("status", "failed"),
        ("order_id", "o'1"),
        ("amount[gt]", "10"),
        ("created[lte]", "2026-11-23"),
        ("metadata[a]", "1"),
        ("metadata[b]", "2"),
    )
    assert found.where == (
        "(status = 'failed') and (order_id = $4) and (created_at <= $5) and (amount > $6)"
        " and (record @> $7::jsonb)"
    )
    assert found.values == [
        "o'1",
        datetime(2026, 11, 23, tzinfo=UTC),
        10,
        '{"metadata":{"a":"1","b":"2"}}',
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "paid"),
        ("status", ""),
        ("state", "success"),
        ("method", "bitcoin"),
        ("currency", "inr"),
        ("order_id", "a\x00b"),
        ("customer_id", "x" * 256),
        ("amount[gt]", "1.5"),
        ("amount[gt]", "-1"),
        ("amount[gt]", "1" * 17),
        ("amount[gt]", "\u0663"),
        ("created[gt]", "yesterday"),
        ("created[gt]", "2026-11-23T10:00:00"),
        ("created[gt]", "99999999999"),
        ("created[after]", "2026-11-23"),
        ("created[]", "2026-11-23"),
        ("metadata[]", "1"),
        ("metadata[a", "1"),
        ("status[]", "failed"),
    ],
)
def test_what_is_wrong_is_named(name: str, value: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        filtered((name, value))
    assert refused.value.param == name


def test_a_made_up_name_does_not_come_back_whole() -> None:
    with pytest.raises(ParameterInvalid) as refused:
        filtered(("x[" + "4242424242424242" + "]", "1"))
    assert "4242424242424242" not in f"{refused.value.param} {refused.value.detail}"


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-11-23T16:07:09Z", "2026-11-23T16:07:09+00:00"),
        ("2026-11-23T16:07:09.123+05:30", "2026-11-23T10:37:09.123000+00:00"),
        ("2026-11-23", "2026-11-23T00:00:00+00:00"),
        ("1763914029", "2025-11-23T16:07:09+00:00"),
        ("0", "1970-01-01T00:00:00+00:00"),
    ],
)
def test_times_are_iso_or_unix_seconds(text: str, iso: str) -> None:
    assert moment("created[gt]", text).isoformat() == iso


def test_words_may_be_repeated_or_stand_behind_commas() -> None:
    query = asked(("types[]", "a,b"), ("types[]", "c"))
    assert query.words("types", ("a", "b", "c")) == ["a", "b", "c"]
    with pytest.raises(ParameterInvalid, match="one of a, b"):
        asked(("types[]", "a,")).words("types", ("a", "b"))


@given(st.text(max_size=40))
@pytest.mark.parametrize("read", [amount, moment])
def test_any_text_is_read_or_refused(read: Callable[[str, str], object], text: str) -> None:
    with contextlib.suppress(ParameterInvalid):
        read("name", text)


def test_positions_are_read_as_they_are_shown_08_r17() -> None:
    shown = POSITIONS.show({0: 5, 1: 0, 3: 18423})
    assert shown == "payments.commands/0@4,payments.commands/3@18422"
    assert POSITIONS.parse(shown, "as_of") == {0: 4, 3: 18422}
    assert POSITIONS.show({}) is None
    twice = "payments.commands/1@7, payments.commands/1@5"
    assert POSITIONS.parse(twice, "as_of") == {1: 7}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3@1",
        "payments.commands/3",
        "payments.commands/3@",
        "payments.commands/3@-1",
        "payments.commands/4@1",
        "payments.commands/3@1,",
        "payments.facts/3@1",
        "payments.commands/3@" + "9" * 19,
        "payments.commands/\u0663@1",
    ],
)
def test_other_positions_are_refused(text: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        POSITIONS.parse(text, "Consistent-With")
    assert refused.value.param == "Consistent-With"
