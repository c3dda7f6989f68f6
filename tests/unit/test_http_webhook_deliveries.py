"""Deliveries and attempts as merchants see them, and the filters of their list."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from headgate.http.exchange import Exchange
from headgate.http.pages import PAGE_PARAMETERS
from headgate.http.problems_of_requests import ParameterInvalid
from headgate.http.query import Query
from headgate.http.webhook_deliveries import (
    ATTEMPT_ID,
    DELIVERY_ID,
    add_filters,
    as_json,
    attempt_shown,
    delivery_shown,
)
from headgate.tables.conditions import Conditions
from headgate.tables.deliveries import manual_token, scheduled_token

DELIVERY = "dlv_" + "a" * 26
NOON_MS = 1_795_867_200_000
ROW: dict[str, Any] = {
    "id": DELIVERY,
    "event_id": "evt_1",
    "endpoint_id": "whe_1",
    "merchant_id": "mer_1",
    "mode": "test",
    "payment_id": "pay_1",
    "replay_id": None,
    "type": "payment.success",
    "status": "pending",
    "attempts": 2,
    "last_attempt_at": "2026-11-28T12:00:00.007+00:00",
    "next_retry_at": "2026-11-28T13:31:00+01:00",
    "scheduled_at": "2026-11-28T12:00:00.007+00:00",
    "response_code": 500,
    "response_body": "no",
    "created_at": "2026-11-28T11:59:00+00:00",
}
ATTEMPT: dict[str, Any] = {
    "delivery_id": DELIVERY,
    "delivery_created_at": "2026-11-28T11:59:00+00:00",
    "token": f"{DELIVERY}.2",
    "attempt": 2,
    "manual": False,
    "kind": "failed",
    "status_code": 500,
    "error": "the receiver answered 500",
    "answer": "no",
    "request_headers": {"webhook-id": "evt_1"},
    "answer_headers": {"server": "shop"},
    "connect_ms": 3,
    "first_byte_ms": 7,
    "started_at": "2026-11-28T12:00:00+00:00",
    "duration_ms": 9,
    "next_attempt": 3,
    "next_at": "2026-11-28T12:30:00+00:00",
}


def shown(at_ms: int = NOON_MS, **changes: object) -> dict[str, Any]:
    """The row, changed, as it is answered."""
    answer: dict[str, Any] = orjson.loads(
        as_json(delivery_shown(orjson.dumps(ROW | changes).decode(), at_ms))
    )
    return answer


def attempt(**changes: object) -> dict[str, Any]:
    """The attempt's row, changed, as it is answered."""
    text = orjson.dumps(ATTEMPT | changes).decode()
    answer: dict[str, Any] = orjson.loads(attempt_shown(text).model_dump_json())
    return answer


def conditions_of(query: dict[str, str]) -> Conditions:
    """The conditions of a list with this query."""
    conditions = Conditions(PAGE_PARAMETERS)
    raw = urlencode(query).encode()
    add_filters(Query(Exchange({"headers": [], "query_string": raw})), conditions)
    return conditions


def test_a_delivery_tells_what_happened_and_what_follows() -> None:
    assert shown() == {
        "id": DELIVERY,
        "object": "webhook_delivery",
        "livemode": False,
        "endpoint_id": "whe_1",
        "event_id": "evt_1",
        "type": "payment.success",
        "payment_id": "pay_1",
        "replay_id": None,
        "status": "pending",
        "attempt_count": 2,
        "last_attempt_at": "2026-11-28T12:00:00.007Z",
        "next_attempt_at": "2026-11-28T12:31:00.000Z",
        "waiting_in": "delay.30m",
        "response_status": 500,
        "created_at": "2026-11-28T11:59:00.000Z",
    }


@pytest.mark.parametrize(
    ("changes", "topic"),
    [
        ({"at_ms": NOON_MS + 30 * 60_000 + 40_000}, "delay.5s"),
        ({"at_ms": NOON_MS + 31 * 60_000}, None),
        ({"next_retry_at": None, "scheduled_at": None}, None),
        ({"scheduled_at": None}, None),
        ({"status": "held"}, None),
    ],
)
def test_the_topic_that_the_next_attempt_waits_in(
    changes: dict[str, Any], topic: str | None
) -> None:
    if "at_ms" in changes:
        changes = changes | {"next_retry_at": "2026-11-28T12:31:00+00:00"}
    assert shown(**changes)["waiting_in"] == topic


def test_events_about_no_payment_have_none() -> None:
    assert shown(payment_id=None, mode="live")["payment_id"] is None
    assert shown(mode="live")["livemode"] is True


def test_an_attempt_tells_both_sides_of_the_exchange() -> None:
    assert attempt() == {
        "id": f"{DELIVERY}.2",
        "object": "webhook_attempt",
        "delivery_id": DELIVERY,
        "attempt": 2,
        "manual": False,
        "outcome": "failed",
        "error": "the receiver answered 500",
        "started_at": "2026-11-28T12:00:00.000Z",
        "timing": {"connect_ms": 3, "first_byte_ms": 7, "total_ms": 9},
        "request": {"headers": {"webhook-id": "evt_1"}},
        "response": {"status": 500, "headers": {"server": "shop"}, "body": "no"},
        "next_attempt_at": "2026-11-28T12:30:00.000Z",
    }


def test_an_attempt_without_an_answer_has_no_response() -> None:
    silent = attempt(status_code=None, answer="", connect_ms=None, first_byte_ms=None)
    assert silent["response"] is None
    assert silent["timing"] == {"connect_ms": None, "first_byte_ms": None, "total_ms": 9}


def test_attempts_are_cursors_whoever_asked_for_them() -> None:
    assert DELIVERY_ID.fullmatch(DELIVERY)
    for token in (scheduled_token(DELIVERY, 10), manual_token(DELIVERY, "cmd_" + "a" * 26)):
        assert ATTEMPT_ID.fullmatch(token)


def test_filters_become_conditions_and_values_stay_outside_of_the_text() -> None:
    found = conditions_of(
        {"status": "failed", "endpoint_id": "whe_1", "type": "payment.success", "created[gt]": "5"}
    )
    assert found.where == (
        "(status = 'failed') and (endpoint_id = $4) and (type = $5) and (created_at > $6)"
    )
    assert found.values[:2] == ["whe_1", "payment.success"]


@pytest.mark.parametrize(
    "query",
    [{"status": "delivered"}, {"event_id": "evt\0"}, {"created[gt]": "soon"}, {"type": "x" * 300}],
)
def test_a_filter_that_makes_no_sense_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(ParameterInvalid):
        conditions_of(query)
