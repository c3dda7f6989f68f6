"""The log by time, on a real broker: where a partition's records of a time and later ones begin."""

from __future__ import annotations

import pytest

from headgate.streams.bus import Bus, Record
from headgate.streams.declare import declare
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

AT_MS = 1_790_000_000_000


async def test_everything_below_the_offset_of_a_time_is_older(live_settings: Settings) -> None:
    """Also where an older record comes late, as one does that waited in the outbox."""
    await declare(live_settings)
    topic = PAYMENT_COMMANDS.full_name(live_settings)
    bus = Bus.of(live_settings, "test")
    await bus.start()
    try:
        for at_ms in (0, 1000, 2000, 500, 3000):
            await bus.publish([Record(topic, 0, b"k", b"v", timestamp_ms=AT_MS + at_ms)])
        partitions = [0, 1]
        wanted = {-5000: 0, 0: 0, 1000: 1, 1001: 2, 2000: 2, 2500: 4, 3000: 4, 3001: 5}
        for at_ms, offset in wanted.items():
            found = await bus.since(topic, partitions, AT_MS + at_ms)
            assert found == {0: offset, 1: 0}, at_ms
    finally:
        await bus.stop()
