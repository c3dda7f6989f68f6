"""Operational events: ids that are derived, bytes that are frozen, and no talk without end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.agents.notify import About, EndpointIndex, about_event
from headgate.agents.notify_operational import event_of
from headgate.streams.deliveries import AttemptMade
from headgate.streams.engine.intake import Delivered
from headgate.streams.operational_events import (
    OPERATIONAL_EVENT,
    OPERATIONAL_TYPES,
    EndpointNamed,
    EventBytes,
    endpoint_disabled,
    endpoint_enabled,
    exhausted,
    webhook_test,
)
from headgate.streams.operational_words import OPERATIONAL_IN_WORDS
from headgate.streams.settings import Settings
from headgate.tables.configuration import Configuration, Endpoint
from tests.unit.fakes import event

AT_MS = 1_800_000_000_000
ENDPOINT = EndpointNamed(id="ep_1", merchant_id="mer_1")


def made(**more: Any) -> AttemptMade:
    """The last attempt of a delivery, which failed."""
    return AttemptMade.model_validate(
        {
            "delivery_id": "dlv_1",
            "event_id": "evt_1",
            "endpoint_id": "ep_1",
            "merchant_id": "mer_1",
            "payment_id": "pay_1",
            "mode": "test",
            "type": "payment.success",
            "attempt": 10,
            "token": "dlv_1.10",
            "kind": "failed",
            "status_code": 503,
            "error": "the receiver answered 503",
            "answer": "",
            "started_at_ms": AT_MS,
            "duration_ms": 7,
            "next_attempt": None,
            "next_at_ms": None,
        }
        | more
    )


def delivered(one: EventBytes) -> Delivered:
    """The event's record as a worker reads it."""
    record = one.record(Settings())
    assert record.timestamp_ms is not None
    return Delivered(
        *("webhooks.events", record.partition, 0, record.key, record.value, dict(record.headers)),
        *(record.timestamp_ms, event(0)),
    )


def endpoint(endpoint_id: str, *event_types: str, **more: Any) -> Endpoint:
    return Endpoint(
        id=endpoint_id,
        merchant_id=more.pop("merchant_id", "mer_1"),
        mode=more.pop("mode", "test"),
        is_default=False,
        url="https://shop.example/",
        sealed_secret="",
        event_types=event_types,
        enabled=more.pop("enabled", True),
        **more,
    )


def matched(about: About, *endpoints: Endpoint) -> list[str]:
    index = EndpointIndex(Configuration(endpoints={one.id: one for one in endpoints}))
    return [one.id for one in index.of(about)]


def test_an_exhausted_delivery_tells_how_it_ended() -> None:
    told = exhausted(made())
    assert told is not None
    body = OPERATIONAL_EVENT.validate_json(told.payload)
    assert (body.type, body.event, body.livemode) == (
        *("delivery.exhausted", "delivery.exhausted", False),
    )
    assert body.data.delivery is not None
    assert body.data.delivery.model_dump() == {
        "id": "dlv_1",
        "object": "webhook_delivery",
        "event_id": "evt_1",
        "event_type": "payment.success",
        "payment_id": "pay_1",
        "attempts": 10,
        "last_attempt": {
            "kind": "failed",
            "status_code": 503,
            "error": "the receiver answered 503",
            "at": "2027-01-15T08:00:00.000Z",
        },
    }
    assert "reason" not in json.loads(told.payload)["data"]


@pytest.mark.parametrize(
    "more",
    [
        {"next_attempt": 11, "next_at_ms": AT_MS + 1},
        {"kind": "success", "status_code": 200, "error": None},
        {"manual": True},
    ],
)
def test_a_delivery_that_goes_on_or_has_arrived_exhausts_nothing(more: dict[str, Any]) -> None:
    assert exhausted(made(**more)) is None


@pytest.mark.parametrize("event_type", OPERATIONAL_TYPES)
def test_nothing_is_told_about_the_delivery_of_an_operational_event(event_type: str) -> None:
    """A dead endpoint that asked for `*` would talk about itself for ever."""
    assert exhausted(made(type=event_type)) is None


def test_the_same_attempt_tells_the_same_bytes_under_the_same_id() -> None:
    assert exhausted(made()) == exhausted(made())


def test_ids_differ_by_type_endpoint_and_cause() -> None:
    other = EndpointNamed(id="ep_2", merchant_id="mer_1")
    told = [
        webhook_test(ENDPOINT, "test", "key-1", AT_MS),
        webhook_test(ENDPOINT, "test", "key-2", AT_MS),
        webhook_test(other, "test", "key-1", AT_MS),
        endpoint_disabled(ENDPOINT, "test", "gone", AT_MS),
        endpoint_disabled(ENDPOINT, "test", "gone", AT_MS + 1),
        endpoint_enabled(ENDPOINT, "test", AT_MS),
    ]
    assert len({one.event_id for one in told}) == len(told)
    assert all(one.event_id.startswith("evt_") and "." not in one.event_id for one in told)


def test_a_record_says_what_matching_and_consumers_need() -> None:
    told = endpoint_disabled(ENDPOINT, "live", "failing", AT_MS)
    record = told.record(Settings(namespace="replay"))
    assert (record.topic, record.key) == ("replay.webhooks.events", b"mer_1")
    assert (record.value, record.timestamp_ms) == (told.payload, AT_MS)
    headers = dict(record.headers)
    assert headers["ce_type"] == b"webhook_endpoint.disabled"
    assert headers["ce_id"] == told.event_id.encode()
    assert (headers["livemode"], headers["v"]) == (b"true", b"1")
    assert "endpoint-id" not in headers


def test_a_record_is_read_back_as_it_was() -> None:
    for told in (
        webhook_test(ENDPOINT, "test", "key-1", AT_MS),
        endpoint_enabled(ENDPOINT, "live", AT_MS),
    ):
        assert event_of(delivered(told)) == told


@pytest.mark.parametrize("broken", ["headers", "time"])
def test_a_record_that_makes_no_sense_is_no_event(broken: str) -> None:
    record = delivered(webhook_test(ENDPOINT, "test", "key-1", AT_MS))
    if broken == "headers":
        record.headers = {}
    else:
        record.headers = {**record.headers, "ce_time": b"9999"}
    assert event_of(record) is None


def test_a_test_goes_to_its_endpoint_alone_whatever_that_asked_for() -> None:
    about = about_event(delivered(webhook_test(ENDPOINT, "test", "key-1", AT_MS)))
    others = endpoint("ep_2", "*"), endpoint("ep_3", "webhook.test")
    assert matched(about, endpoint("ep_1", "payment.success"), *others) == ["ep_1"]
    assert matched(about, *others) == []


@pytest.mark.parametrize("more", [{"merchant_id": "mer_2"}, {"mode": "live"}, {"deleted": True}])
def test_a_test_never_goes_to_a_stranger_or_a_tombstone(more: dict[str, Any]) -> None:
    about = about_event(delivered(webhook_test(ENDPOINT, "test", "key-1", AT_MS)))
    assert matched(about, endpoint("ep_1", "*", **more)) == []


def test_other_events_go_to_those_that_ask_for_them() -> None:
    about = about_event(delivered(endpoint_enabled(ENDPOINT, "test", AT_MS)))
    asking = endpoint("ep_2", "webhook_endpoint.enabled"), endpoint("ep_3", "*")
    others = endpoint("ep_4", "payment.success"), endpoint("ep_5", "*", enabled=False)
    assert matched(about, *asking, *others) == ["ep_2", "ep_3"]


def test_every_type_has_its_words() -> None:
    assert tuple(OPERATIONAL_IN_WORDS) == OPERATIONAL_TYPES


def test_an_error_without_end_is_cut_off() -> None:
    """Anybody may write to the log, and the relay must not stumble over what follows."""
    told = exhausted(made(error="x" * 10**6))
    assert told is not None
    assert len(told.payload) < 2000
