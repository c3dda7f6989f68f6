"""Filters of events: exact, by prefix, everything."""

from __future__ import annotations

import pytest

from headgate.streams.event_filters import filters_of, selects_any, wants


@pytest.mark.parametrize(
    ("filters", "event_type", "wanted"),
    [
        (["payment.success"], "payment.success", True),
        (["payment.success"], "payment.failed", False),
        (["payment.success"], "payment.success.late", False),
        (["payment.*"], "payment.success", True),
        (["payment.*"], "payments.success", False),
        (["payment.*"], "payment", False),
        (["pay.*"], "payment.success", False),
        (["a.b.*"], "a.b.c", True),
        (["a.*"], "a.b.c", True),
        (["a.b.*"], "a.b", False),
        (["*"], "anything.at.all", True),
        (["refund.*", "payment.failed"], "payment.failed", True),
        ([], "payment.success", False),
    ],
)
def test_a_type_passes_the_filters_that_name_it(
    filters: list[str], event_type: str, wanted: bool
) -> None:
    assert wants(filters, event_type) is wanted


def test_the_filters_of_a_type_are_all_that_let_it_pass_the_narrowest_first() -> None:
    assert filters_of("a.b.c") == ("a.b.c", "a.b.*", "a.*", "*")
    assert filters_of("webhook") == ("webhook", "*")


def test_a_misspelt_filter_selects_nothing() -> None:
    types = ["payment.success", "refund.failed"]
    assert selects_any("refund.*", types)
    assert selects_any("*", types)
    assert not selects_any("refunds.*", types)
    assert not selects_any("payment.succes", types)
