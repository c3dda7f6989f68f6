"""Delays are topics: which tier a record enters, and what the pump needs to let it out (00 A9)."""

from __future__ import annotations

from headgate.streams.bus import Record
from headgate.streams.settings import Settings
from headgate.streams.topics import TIERS, DelayTier

NOT_BEFORE = "not-before"
"""Milliseconds since 1970 before which the record must not reach its target."""
TARGET = "target"
"""Full name of the topic that the record goes to. The partition stays the same."""


def tier_for(remaining_ms: int) -> DelayTier:
    """The largest tier that does not overshoot; the smallest for whatever is left (04 §9.4)."""
    fitting = [tier for tier in TIERS if tier.delay_ms <= remaining_ms]
    return fitting[-1] if fitting else TIERS[0]


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
