"""Deliveries, decided purely: outcomes, the schedule, tokens and jitter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.streams.deliveries import DeliveryWanted
from headgate.streams.settings import Settings
from headgate.tables import deliveries as d
from headgate.tables.configuration import Endpoint
from headgate.tables.schedules import SEED_WAITS_MS, STANDARD_WAITS_MS, waits_of, window_ms

NOW = 1_800_000_000_000  # 2027-01-15T08:00:00Z
WANTED = DeliveryWanted(
    delivery_id="dlv_1",
    event_id="evt_1",
    endpoint_id="ep_1",
    merchant_id="mer_1",
    payment_id="pay_1",
    mode="test",
    type="payment.success",
    token=d.scheduled_token("dlv_1", 1),
    body='{"id":"evt_1"}',
    created_at_ms=NOW,
)
FAILED = d.no_answer("refused")
ENDPOINT = Endpoint(
    id="ep_1",
    merchant_id="mer_1",
    mode="test",
    is_default=True,
    url="https://shop.example/hook",
    sealed_secret="sealed",
    event_types=("payment.success",),
    enabled=True,
)


@pytest.mark.parametrize(
    ("status", "kind", "final"),
    [
        (200, "success", False),
        (204, "success", False),
        (299, "success", False),
        (301, "failed", False),
        (307, "failed", False),
        (400, "rejected", False),
        (401, "rejected", False),
        (404, "rejected", False),
        (408, "failed", False),
        (410, "rejected", True),
        (425, "failed", False),
        (429, "failed", False),
        (500, "failed", False),
        (502, "failed", False),
        (503, "failed", False),
        (504, "failed", False),
        (199, "failed", False),
        (600, "failed", False),
    ],
)
def test_what_an_answer_means_04_9_6(status: int, kind: str, final: bool) -> None:
    outcome = d.answered(status, None, NOW)
    assert (outcome.kind, outcome.final, outcome.status_code) == (kind, final, status)
    assert (outcome.error is None) == (kind == "success")


def test_no_answer_counts_as_an_attempt_and_is_retried() -> None:
    following = d.next_wanted(WANTED, FAILED, NOW, SEED_WAITS_MS)
    assert FAILED.kind == "failed"
    assert following is not None
    assert following.wanted.attempt == 2


def test_a_blocked_address_ends_the_delivery() -> None:
    outcome = d.no_answer("the address is not allowed", blocked=True)
    assert outcome.kind == "blocked"
    assert d.next_wanted(WANTED, outcome, NOW, SEED_WAITS_MS) is None


def test_410_and_success_end_the_delivery() -> None:
    for status in (410, 200):
        assert d.next_wanted(WANTED, d.answered(status, None, NOW), NOW, SEED_WAITS_MS) is None


@pytest.mark.parametrize(
    ("schedule", "test_intervals", "minutes"),
    [
        ("seed", False, [1, 5, 30, 120]),
        ("seed", True, [5 / 60, 10 / 60, 15 / 60, 20 / 60]),
        ("standard", True, [5 / 60, 5, 30, 120, 300, 600, 840, 1200, 1440]),
        ("custom", True, [1, 2]),
        ("of a newer version", False, [5 / 60, 5, 30, 120, 300, 600, 840, 1200, 1440]),
    ],
)
def test_an_endpoints_schedule_then_the_end(
    schedule: str, test_intervals: bool, minutes: list[float]
) -> None:
    settings = Settings(webhook_retry_intervals_test=test_intervals)
    endpoint = ENDPOINT.model_copy(update={"schedule": schedule, "waits_ms": (60_000, 120_000)})
    waits = waits_of(endpoint, settings)
    wanted: DeliveryWanted = WANTED
    for wait_ms in [round(one * 60_000) for one in minutes]:
        following = d.next_wanted(wanted, FAILED, NOW, waits)
        assert following is not None
        assert wait_ms <= following.not_before_ms - NOW <= wait_ms * 1.1
        assert following.wanted.token == d.scheduled_token("dlv_1", wanted.attempt + 1)
        wanted = following.wanted
    assert wanted.attempt == len(minutes) + 1
    assert d.next_wanted(wanted, FAILED, NOW, waits) is None


def test_a_held_delivery_has_its_whole_schedule_and_75_6_hours_at_least_08_r29() -> None:
    assert sum(STANDARD_WAITS_MS) == 272_105_000  # 75.6 h, to the minute
    assert window_ms(SEED_WAITS_MS, Settings()) == round(75.6 * 3_600_000)
    assert window_ms((259_200_000,) * 20, Settings()) > 20 * 259_200_000


def test_the_successor_is_the_same_whoever_makes_it_08_r27() -> None:
    following = d.next_wanted(WANTED, FAILED, NOW, SEED_WAITS_MS)
    assert following is not None
    assert d.successor(WANTED, 2, following.not_before_ms) == following


def test_a_failed_retry_now_schedules_nothing_08_r28() -> None:
    manual = WANTED.model_copy(update={"manual": True, "token": d.manual_token("dlv_1", "n1")})
    assert d.next_wanted(manual, FAILED, NOW, SEED_WAITS_MS) is None


def test_every_retry_now_has_a_token_of_its_own_08_r28() -> None:
    tokens = {d.manual_token("dlv_1", "n1"), d.manual_token("dlv_1", "n2"), WANTED.token}
    assert len(tokens) == 3


@pytest.mark.parametrize(
    ("value", "wait_ms"),
    [
        ("120", 120_000),
        (" 7 ", 7000),
        ("0", 0),
        ("999999", 86_400_000),
        ("9" * 400, 86_400_000),
        ("-5", 0),
        ("soon", 0),
        ("٣", 0),
        ("", 0),
        (None, 0),
        ("Fri, 15 Jan 2027 08:02:00 GMT", 120_000),
        ("Fri, 15 Jan 2027 08:02:00 -0000", 120_000),
        ("Fri, 15 Jan 2027 07:58:00 GMT", 0),
        ("Fri, 15 Jan 2038 08:00:00 GMT", 86_400_000),
        ("Fri, 99 Jan 2027 08:00:00 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_clamped(value: str | None, wait_ms: int) -> None:
    assert d.retry_after_in_ms(value, NOW) == wait_ms


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_delays_but_never_hastens(status: int) -> None:
    long = d.next_wanted(WANTED, d.answered(status, "600", NOW), NOW, SEED_WAITS_MS)
    short = d.next_wanted(WANTED, d.answered(status, "1", NOW), NOW, SEED_WAITS_MS)
    assert long is not None
    assert short is not None
    assert long.not_before_ms == NOW + 600_000
    assert short.not_before_ms >= NOW + 60_000


def test_retry_after_of_another_status_is_not_listened_to() -> None:
    assert d.answered(500, "600", NOW).retry_after_ms == 0


@given(st.text(), st.integers(0, 10**9))
def test_jitter_is_never_early_and_at_most_a_tenth(token: str, wait_ms: int) -> None:
    assert 0 <= d.jitter_ms(token, wait_ms) <= wait_ms * 0.1
    assert d.jitter_ms(token, wait_ms) == d.jitter_ms(token, wait_ms)


def test_jitter_spreads() -> None:
    drawn = {d.jitter_ms(f"dlv_{n}.2", 60_000) // 600 for n in range(200)}
    assert len(drawn) > 9


def test_the_record_of_an_attempt_names_its_successor() -> None:
    following = d.next_wanted(WANTED, FAILED, NOW, SEED_WAITS_MS)
    assert following is not None
    made = d.attempt_made(WANTED, FAILED, d.Trace(NOW, 7, answer="x" * 20_000), following)
    assert (made.token, made.attempt, made.kind, made.error) == ("dlv_1.1", 1, "failed", "refused")
    assert (made.next_attempt, made.next_at_ms) == (2, following.not_before_ms)
    assert len(made.answer) == 16_384


def test_the_record_of_the_last_attempt_names_none() -> None:
    outcome = d.answered(200, None, NOW)
    made = d.attempt_made(WANTED, outcome, d.Trace(NOW, 7, answer="ok"), None)
    assert (made.next_attempt, made.next_at_ms, made.status_code) == (None, None, 200)
