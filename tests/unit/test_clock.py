"""Times are aware UTC and whole milliseconds, to the last digit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.streams.clock import from_iso, from_ms, iso, now_ms

YEAR_9999_MS = 253_402_300_799_999


def test_now_is_in_milliseconds() -> None:
    assert abs(from_ms(now_ms()) - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_795_450_029_123, "2026-11-23T16:07:09.123Z"),
        (1_795_450_029_007, "2026-11-23T16:07:09.007Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_times_leave_as_iso_8601_with_milliseconds(milliseconds: int, text: str) -> None:
    assert iso(milliseconds) == text


@given(st.integers(0, YEAR_9999_MS))
def test_no_millisecond_is_lost_or_rounded(milliseconds: int) -> None:
    read = datetime.fromisoformat(iso(milliseconds))
    assert read.tzinfo == UTC
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert (read - epoch) // timedelta(milliseconds=1) == milliseconds


@given(st.integers(0, YEAR_9999_MS))
def test_a_time_survives_the_way_through_datetime(milliseconds: int) -> None:
    assert round(from_ms(milliseconds).timestamp() * 1000) == milliseconds
    assert from_ms(milliseconds).tzinfo == UTC


@given(st.integers(0, YEAR_9999_MS))
def test_a_time_is_read_back_as_it_was_told(milliseconds: int) -> None:
    assert from_iso(iso(milliseconds)) == milliseconds


@pytest.mark.parametrize("text", ["", "soon", "2026-11-23T16:07:09.123", "2026-11-23"])
def test_what_is_no_time_with_its_offset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_iso(text)
