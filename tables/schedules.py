"""Schedules: how long a delivery waits between its attempts; every endpoint chooses its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from headgate.streams.settings import Settings
from headgate.tables.configuration import Endpoint

Schedule = Literal["seed", "standard", "custom"]
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)

SEED_WAITS_MS = (60_000, 300_000, 1_800_000, 7_200_000)
"""The seed's waits: 1, 5, 30 and 120 minutes after the attempt before; five attempts in all."""
TEST_WAITS_MS = (5000, 10_000, 15_000, 20_000)
"""The seed's waits under `WEBHOOK_RETRY_INTERVALS_TEST`."""
STANDARD_WAITS_MS = (
    5000,
    300_000,
    1_800_000,
    7_200_000,
    18_000_000,
    36_000_000,
    50_400_000,
    72_000_000,
    86_400_000,
)
"""Those of Standard Webhooks: 5 s, 5 m, 30 m, 2, 5, 10, 14, 20 and 24 h; ten attempts, 75.6 h."""
CUSTOM_WAIT_MIN_MS = 1000
"""The shortest wait of a custom schedule."""
CUSTOM_WAIT_MAX_MS = 259_200_000
"""The longest wait of a custom schedule: three days."""
CUSTOM_WAITS_MAX = 20
"""The most waits of a custom schedule."""


def waits_of(endpoint: Endpoint, settings: Settings) -> tuple[int, ...]:
    """The waits between the attempts to an endpoint, in milliseconds. A schedule that this version
    does not know, from a newer one's configuration, is taken for the standard one."""
    if endpoint.schedule == "seed":
        return TEST_WAITS_MS if settings.webhook_retry_intervals_test else SEED_WAITS_MS
    return endpoint.waits_ms if endpoint.schedule == "custom" else STANDARD_WAITS_MS


def tries_of(schedule: str, waits_ms: Sequence[int]) -> int:
    """How many attempts a schedule has, with `waits_ms` of a custom one."""
    if schedule == "custom":
        return len(waits_ms) + 1
    return len(SEED_WAITS_MS if schedule == "seed" else STANDARD_WAITS_MS) + 1


def window_ms(waits: tuple[int, ...], settings: Settings) -> int:
    """How long a delivery may be held before it is given up: as long as its schedule could take,
    and never shorter than the setting (08 R29)."""
    return max(settings.webhook_held_window_s * 1000, sum(waits) * 11 // 10)
