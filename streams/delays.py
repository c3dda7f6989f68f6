"""Delays are topics: which tier a record enters, and what the pump needs to let it out (00 A9)."""

from __future__ import annotations

from headgate.streams.bus import Record
from headgate.streams.settings import Settings
from headgate.streams.topics import TIERS, DelayTier

NOT_BEFORE = "not-before"
"""Milliseconds since 1970 before which the record must not reach its target."""
TARGET = "target"
"""Full name of the topic that the record goes to. The partition stays the same."""

SLACK = 0.1
"""A tier holds a record for up to this share longer than the tier's own time: the room that
jitter needs to be one hop."""
SLACK_MS_MAX = 30_000
"""The most that it is longer. It also bounds how late the order of arrival can make a record."""


def tier_for(remaining_ms: int) -> DelayTier:
    """The largest tier that does not overshoot; the smallest for whatever is left (04 §9.4)."""
    fitting = [tier for tier in TIERS if tier.delay_ms <= remaining_ms]
    return fitting[-1] if fitting else TIERS[0]


def longest_ms(tier: DelayTier) -> int:
    """How long a tier holds a record at most."""
    return tier.delay_ms + min(round(tier.delay_ms * SLACK), SLACK_MS_MAX)


def tier_at(not_before_ms: int, since_ms: int, now_ms: int) -> DelayTier | None:
    """Where a record waits that began to wait at `since_ms`; None when it is due."""
    at_ms = since_ms
    while at_ms < not_before_ms:
        tier = tier_for(not_before_ms - at_ms)
        at_ms += longest_ms(tier)
        if now_ms < min(at_ms, not_before_ms):
            return tier
    return None


def delayed(record: Record, not_before_ms: int, now_ms: int, settings: Settings) -> Record:
    """`record` on its way through a delay topic; `record` itself when it is due already."""
    if not_before_ms <= now_ms:
        return record
    return Record(
        topic=tier_for(not_before_ms - now_ms).topic.full_name(settings),
        partition=record.partition,
        key=record.key,
        value=record.value,
        headers=(
            *record.headers,
            (NOT_BEFORE, str(not_before_ms).encode()),
            (TARGET, record.topic.encode()),
        ),
    )
