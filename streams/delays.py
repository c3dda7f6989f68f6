"""Delays are topics: which tier a record enters, and what the pump needs to let it out (00 A9)."""

from __future__ import annotations

from collections.abc import Iterable

from headgate.streams.bus import Record
from headgate.streams.settings import Settings
from headgate.streams.topics import TIERS, DelayTier

NOT_BEFORE = "not-before"
"""Milliseconds since 1970 before which the record must not reach its target."""
TARGET = "target"
"""Full name of the topic that the record goes to. The partition stays the same."""

NOTE_BITS_MAX = 8192
"""Records that the note beside a commit can tell of; the broker takes notes of 4,096 characters."""

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


def look_at_ms(tier: DelayTier, not_before_ms: int, written_ms: int, now_ms: int) -> int:
    """When a record is due for a look. Normally its time; but a tier holds nothing for longer
    than itself and its slack, counted from when the record was written and from now: neither a
    wrong tier nor a writer with a wrong clock can hold up a partition (04 §9.3)."""
    held_ms = longest_ms(tier)
    return min(not_before_ms, written_ms + held_ms, now_ms + held_ms)


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


def write_note(ahead: Iterable[int]) -> str:
    """Which records behind the commit position are done, as the bits of a hexadecimal number."""
    bits = sum(1 << distance for distance in ahead if distance < NOTE_BITS_MAX)
    return f"{bits:x}" if bits else ""


def read_note(note: str) -> list[int]:
    """How far behind the commit position the records are that are done, by the note beside it."""
    try:
        bits = int(note, 16) if note else 0
    except ValueError:
        return []  # somebody else committed for us, with a note of their own
    return [distance for distance in range(bits.bit_length()) if bits >> distance & 1]
