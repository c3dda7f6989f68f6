"""When an endpoint is warned of and disabled: by time and by attempts, counted once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.streams.deliveries import TIME_MS_MAX, AttemptMade
from headgate.streams.operational_events import EventBytes
from headgate.streams.settings import Settings
from headgate.tables.endpoint_health import Health, Rules, Told, after, after_all
from tests.unit.test_operational_events import AT_MS, made

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
RULES = Rules.of(Settings())


def attempts(*kinds_at: tuple[str, int]) -> list[tuple[int, AttemptMade]]:
    """Attempts of these kinds, so many milliseconds after the first one."""
    return [
        (offset, made(kind=kind, started_at_ms=AT_MS + at_ms, token=f"dlv_1.{offset}"))
        for offset, (kind, at_ms) in enumerate(kinds_at)
    ]


def failures(count: int, every_ms: int) -> list[tuple[int, AttemptMade]]:
    return attempts(*(("failed", number * every_ms) for number in range(count)))


def named(told: Told) -> list[tuple[str, int | None]]:
    """Types and percents of what is told."""
    bodies: list[dict[str, Any]] = [json.loads(event.payload) for event in told.events]
    return [(body["type"], body["data"].get("failing", {}).get("percent")) for body in bodies]


def test_five_days_of_failures_warn_twice_and_then_disable() -> None:
    seen = failures(121, HOUR_MS)
    before = after_all(None, seen[:-1], RULES)
    assert named(before) == [
        ("webhook_endpoint.disabling", 50),
        ("webhook_endpoint.disabling", 80),
    ]
    assert not before.disable
    assert after(before.health, *seen[-1], RULES).disable


def test_a_warning_says_since_when_how_often_and_until_when() -> None:
    told = after_all(None, failures(61, HOUR_MS), RULES)
    [warning] = told.events
    assert json.loads(warning.payload)["data"] == {
        "endpoint": {"id": "ep_1", "object": "webhook_endpoint", "merchant_id": "mer_1"},
        "failing": {
            "since": "2027-01-15T08:00:00.000Z",
            "attempts": 61,
            "percent": 50,
            "disables_at": "2027-01-20T08:00:00.000Z",
        },
    }


def test_a_burst_of_failures_does_nothing() -> None:
    told = after_all(None, failures(10_000, 1), RULES)
    assert (told.events, told.disable) == ((), False)


def test_a_quiet_endpoint_is_warned_of_by_its_attempts_and_disabled_by_the_twentieth() -> None:
    seen = failures(20, DAY_MS)
    before = after_all(None, seen[:-1], RULES)
    assert named(before) == [
        ("webhook_endpoint.disabling", 50),
        ("webhook_endpoint.disabling", 80),
    ]
    assert not before.disable
    assert after(before.health, *seen[-1], RULES).disable


def test_every_further_failure_says_it_again_until_somebody_has_disabled_it() -> None:
    seen = failures(130, HOUR_MS)
    told = after_all(None, seen[:125], RULES)
    assert told.disable
    assert all(after(told.health, *one, RULES).disable for one in seen[125:])


def test_one_success_begins_the_count_anew() -> None:
    kinds = [("failed", number * HOUR_MS) for number in range(40)]
    told = after_all(None, attempts(*kinds, ("success", 41 * HOUR_MS)), RULES)
    assert told.health is not None
    assert (told.health.attempts, told.events, told.disable) == (0, (), False)


def test_failures_before_a_success_are_not_counted_again_when_they_are_read_again() -> None:
    seen = attempts(
        *(("failed", number * HOUR_MS) for number in range(70)), ("success", 71 * HOUR_MS)
    )
    told = after_all(None, seen, RULES)
    again = after_all(told.health, seen[5:], RULES)
    assert (again.health, again.events) == (told.health, ())


def test_a_success_after_a_warning_is_told_once() -> None:
    kinds = [("failed", number * HOUR_MS) for number in range(70)]
    ended = [("success", 71 * HOUR_MS), ("success", 72 * HOUR_MS)]
    told = after_all(None, attempts(*kinds, *ended), RULES)
    assert named(told) == [
        ("webhook_endpoint.disabling", 50),
        ("webhook_endpoint.recovered", None),
    ]


def test_a_success_behind_the_last_failure_of_a_batch_keeps_the_endpoint() -> None:
    kinds = [("failed", number * HOUR_MS) for number in range(125)]
    assert not after_all(None, attempts(*kinds, ("success", 126 * HOUR_MS)), RULES).disable


@pytest.mark.parametrize("kind", ["rejected", "blocked", "failed"])
def test_everything_but_a_success_counts(kind: str) -> None:
    told = after_all(None, attempts((kind, 0), (kind, 1)), RULES)
    assert told.health == Health(AT_MS, AT_MS + 1, 2, 0, 1)


def test_times_beyond_the_calendar_break_nothing() -> None:
    """Anybody may write to the log (08 R6)."""
    early = made(started_at_ms=0)
    late = made(started_at_ms=TIME_MS_MAX, duration_ms=2**31 - 1)
    seen = [(n, late if n else early) for n in range(15)]
    told = after_all(None, [*seen, (99, made(kind="success", started_at_ms=TIME_MS_MAX))], RULES)
    assert named(told)[-1] == ("webhook_endpoint.recovered", None)


def test_the_rules_are_settings() -> None:
    rules = Rules.of(Settings(webhook_disable_after_s=60, webhook_disable_attempts_min=2))
    assert after_all(None, failures(2, 60_000), rules).disable


@given(
    st.lists(st.tuples(st.sampled_from(["failed", "success"]), st.integers(0, 9)), max_size=40),
    st.data(),
)
def test_attempts_that_are_read_again_count_once_however_they_are_cut(
    kinds: list[tuple[str, int]], data: st.DataObject
) -> None:
    """A batch comes again after a crash, from some place before, in other pieces."""
    rules = Rules(after_ms=20, attempts_min=4)
    at_ms, steps = 0, []
    for kind, wait_ms in kinds:
        at_ms += wait_ms
        steps.append((kind, at_ms))
    seen = attempts(*steps)
    once = after_all(None, seen, rules)
    crashed_at = data.draw(st.integers(0, len(seen)))
    again_from = data.draw(st.integers(0, crashed_at))
    first = after_all(None, seen[:crashed_at], rules)
    told: list[EventBytes] = list(first.events)
    health = first.health
    cut = data.draw(st.integers(again_from, len(seen)))
    for piece in (seen[again_from:cut], seen[cut:]):
        one = after_all(health, piece, rules)
        told += one.events
        health = one.health
    assert health == once.health
    assert {event.event_id for event in told} == {event.event_id for event in once.events}
