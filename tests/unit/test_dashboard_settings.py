"""What forms of keys, settings and replays ask the REST surface for."""

from __future__ import annotations

import pytest
from starlette.datastructures import QueryParams

from headgate.dashboard.key_actions import granted, overlap_s
from headgate.dashboard.replay import wanted
from headgate.dashboard.request_filters import RequestFilters
from headgate.dashboard.settings_actions import knobs_of, number


def test_only_ticked_scopes_are_granted_and_never_that_of_operators() -> None:
    form = {"scope:payments:read": "on", "scope:operator": "on", "scope:nonsense": "on", "id": "x"}
    assert granted(form) == ["payments:read"]
    assert granted({}) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("5", 5), ("0.5", 0.5), ("often", "often"), ("", ""), ("1e3", 1000.0), ("nan", "nan"),
        ("-inf", "-inf"), ("1e999", "1e999"), ("9" * 400, 10**400 - 1), ("9" * 5000, "9" * 5000),
    ],
)  # fmt: skip
def test_what_is_no_number_is_left_for_the_rest_surface_to_refuse(text: str, told: object) -> None:
    assert number(text) == told


@pytest.mark.parametrize(
    ("hours", "told"), [("24", 86_400), ("", -1), ("-1", -1), ("\u0661", -1), ("9" * 5000, -1)]
)
def test_what_is_no_number_of_hours_is_refused_by_the_rest_surface(hours: str, told: int) -> None:
    assert overlap_s(hours) == told


def test_the_knobs_of_an_empty_form_are_the_defaults() -> None:
    assert knobs_of({"csrf": "x", "merchant": "mer_1", "seed": " "}) == {"outage": False}


def test_one_latency_is_both() -> None:
    assert knobs_of({"latency_min": "7"})["latency_ms"] == {"min": 7, "max": 7}
    assert knobs_of({"latency_max": "7"})["latency_ms"] == {"min": 0, "max": 7}


def test_an_outage_lasts_for_ever_or_until_a_time_in_utc() -> None:
    assert knobs_of({"outage": "yes"})["outage"] is True
    assert (
        knobs_of({"outage": "until", "until": "2030-01-01T00:00"})["outage"] == "2030-01-01T00:00Z"
    )


def test_a_replays_form_leaves_out_what_is_empty() -> None:
    asked = wanted({"endpoint": "whe_1", "from": "2026-01-01T00:00", "to": "", "types": " , "})
    assert asked == {
        "endpoint_id": "whe_1", "only": "failed", "dry_run": False, "from": "2026-01-01T00:00Z",
    }  # fmt: skip


def test_filters_survive_their_own_address_and_ignore_what_cannot_be() -> None:
    filters = RequestFilters(key="key_1", status="4xx", route="/refunds")
    assert RequestFilters.of(QueryParams(str(filters))) == filters
    assert RequestFilters.of(QueryParams({"key": "x" * 101})) == RequestFilters()
    nothing = RequestFilters().clauses(None)[1]
    assert RequestFilters(status="odd").clauses(None)[1] == nothing


def test_the_clauses_of_filters_number_their_values_in_order() -> None:
    filters = RequestFilters(request="req_1", code="c", status="5xx")
    indexed, also = filters.clauses(None)
    assert indexed.where == "(id = $5)"
    assert also == "(code = $6) and (status between $7 and $8)"
    assert indexed.values == ["req_1", "c", 500, 599]
