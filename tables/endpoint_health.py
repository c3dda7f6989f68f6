"""How long nothing has got through to an endpoint, decided purely: warn, then disable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from headgate.streams.clock import iso
from headgate.streams.deliveries import TIME_MS_MAX, AttemptMade
from headgate.streams.operational_events import (
    EndpointNamed,
    EventBytes,
    Failing,
    ended_at_ms,
    endpoint_disabling,
    endpoint_recovered,
)
from headgate.streams.settings import Settings

WARNINGS = (50, 80)
"""Percent of the way to being disabled at which an endpoint's owner is warned."""


@dataclass(frozen=True, slots=True)
class Rules:
    """When an endpoint is disabled: nothing got through for so long, by so many attempts. The
    first and the last of them lie that far apart, so a burst of failures never suffices."""

    after_ms: int
    attempts_min: int

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        """What the settings say."""
        return cls(settings.webhook_disable_after_s * 1000, settings.webhook_disable_attempts_min)

    def percent(self, health: Health) -> int:
        """How far it has come, 0 to 100: by time or by attempts, whichever is behind."""
        by_time = (health.last_failure_at_ms - health.failing_since_ms) * 100 // self.after_ms
        by_attempts = health.attempts * 100 // self.attempts_min
        return max(0, min(by_time, by_attempts, 100))

    def exceeded(self, health: Health) -> bool:
        """Whether the endpoint is to be disabled."""
        return self.percent(health) == 100  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint fails. One that never did has none; one that answers again keeps its own,
    with no attempts: it says which records were counted."""

    failing_since_ms: int
    """The first failure with no success behind it."""
    last_failure_at_ms: int
    attempts: int
    """Failures since then; 0 when the last attempt got through."""
    warned: int
    """The percent that were told last; 0 when there was no warning yet."""
    offset: int
    """The record of `webhooks.attempts` that was counted last. All attempts at an endpoint are in
    one partition, so a record at or below it has been counted."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an endpoint's attempts came to."""

    health: Health | None
    events: tuple[EventBytes, ...] = ()
    disable: bool = False
    """It is to be disabled; said again with every failure, also one that is read again, until it
    is: whoever disables may die before."""


def after(health: Health | None, offset: int, made: AttemptMade, rules: Rules) -> Told:
    """What one more attempt makes of the health of its endpoint."""
    if health is not None and offset <= health.offset:
        return Told(health, disable=rules.exceeded(health))
    if made.kind == "success":
        return _succeeded(health, offset, made)
    health = _failed(health, offset, made.started_at_ms)
    if rules.exceeded(health):
        return Told(health, disable=True)
    percent = rules.percent(health)
    reached = max((level for level in WARNINGS if level <= percent), default=0)
    if reached <= health.warned:
        return Told(health)
    warning = _disabling(health, made, reached, rules)
    return Told(replace(health, warned=reached), (warning,))


def after_all(health: Health | None, seen: Iterable[tuple[int, AttemptMade]], rules: Rules) -> Told:
    """What attempts at one endpoint, in the order of the log, make of its health."""
    told = Told(health)
    for offset, made in seen:
        one = after(told.health, offset, made, rules)
        told = Told(one.health, told.events + one.events, one.disable)
    return told


def _succeeded(health: Health | None, offset: int, made: AttemptMade) -> Told:
    """A success at an endpoint that is well changes nothing, so it costs no row."""
    if health is None or not health.attempts:
        return Told(health)
    return Told(replace(health, attempts=0, warned=0, offset=offset), _recovered(health, made))


def _failed(health: Health | None, offset: int, at_ms: int) -> Health:
    if health is None or not health.attempts:
        return Health(at_ms, at_ms, 1, 0, offset)
    return replace(
        health,
        last_failure_at_ms=max(health.last_failure_at_ms, at_ms),
        attempts=health.attempts + 1,
        offset=offset,
    )


def _named(made: AttemptMade) -> EndpointNamed:
    return EndpointNamed(id=made.endpoint_id, merchant_id=made.merchant_id)


def _failing(health: Health, percent: int, rules: Rules) -> Failing:
    return Failing(
        since=iso(health.failing_since_ms),
        attempts=health.attempts,
        percent=percent,
        disables_at=iso(min(health.failing_since_ms + rules.after_ms, TIME_MS_MAX)),
    )


def _disabling(health: Health, made: AttemptMade, percent: int, rules: Rules) -> EventBytes:
    failing = _failing(health, percent, rules)
    return endpoint_disabling(_named(made), made.mode, failing, made.started_at_ms)


def _recovered(health: Health, made: AttemptMade) -> tuple[EventBytes, ...]:
    if not health.warned:
        return ()
    since = iso(health.failing_since_ms)
    return (endpoint_recovered(_named(made), made.mode, since, ended_at_ms(made)),)
