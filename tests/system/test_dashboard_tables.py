"""The screen Tables: a changelog against rows."""

from __future__ import annotations

import pytest

from headgate.embedded.stack import Stack
from headgate.streams.bus import Bus, Record
from headgate.streams.ids import partition_of
from headgate.streams.topics import changelog_topic
from tests.system.harness_dashboard import looking
from tests.system.harness_place import Place, opened

pytestmark = pytest.mark.system


def change(place: Place, key: str, value: bytes | None) -> Record:
    """A change of the table."""
    name = changelog_topic(place.settings).full_name(place.settings)
    return Record(name, partition_of(key, place.settings.partitions), key.encode(), value)


async def test_the_table_is_compared_with_postgresql(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        bus = Bus.of(place.settings, "test")
        await bus.start()
        await bus.publish_until_acked(
            [
                change(place, "pay_same", b'{"version": 1}'),
                change(place, "pay_same", b'{"version": 2}'),
                change(place, "pay_old", b'{"version": 1}'),
                change(place, "pay_lost", b'{"version": 4}'),
                change(place, "pay_done", b'{"version": 1}'),
                change(place, "pay_done", None),
            ]
        )
        await bus.stop()
        for payment in ("pay_same", "pay_old"):
            await place.rows(
                "insert into payments (id, merchant_id, mode, version, status, state, amount,"
                " currency, method, order_id, created_at, updated_at, record) values ($1, 'mer_a',"
                " 'test', 2, 'pending', 'created', 1, 'INR', 'upi', 'o', now(), now(),"
                " '{\"version\": 2}')",
                payment,
            )
        page = (await looks.get("/tables?check=1")).text
        assert "2 of 3 differ" in page
        assert page.count('data-testid="drift-row"') == 2
        page = (await looks.get("/tables?key=pay_old")).text
        assert "In the table, version 1" in page
        assert "In PostgreSQL, version 2" in page
        page = (await looks.get("/tables?key=pay_done")).text
        assert "not there: it is not open" in page
        looks.as_merchant("mer_a")
        assert (await looks.get("/tables?key=pay_old")).status_code == 404
