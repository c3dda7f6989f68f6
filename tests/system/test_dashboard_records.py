"""The screen Records over a real log."""

from __future__ import annotations

import re

import pytest

from headgate.embedded.stack import Stack
from headgate.streams.bus import Bus, Record
from headgate.streams.ids import partition_of
from headgate.streams.topics import PAYMENT_COMMANDS
from tests.system.harness_dashboard import looking
from tests.system.harness_place import Place, opened

pytestmark = pytest.mark.system


async def publish(place: Place, count: int) -> None:
    """Records of three keys, a second apart, the last one at second `count` - 1."""
    name, bus = PAYMENT_COMMANDS.full_name(place.settings), Bus.of(place.settings, "test")
    keys = [f"pay_{n % 3}" for n in range(count)]
    await bus.start()
    try:
        await bus.publish_until_acked(
            [
                Record(name, partition_of(key, place.settings.partitions), key.encode(),
                       b'{"n": %d}' % n, timestamp_ms=1_790_000_000_000 + 1000 * n)
                for n, key in enumerate(keys)
            ]
        )  # fmt: skip
    finally:
        await bus.stop()


def times(page: str) -> list[str]:
    return re.findall(r'record-row.*?datetime="([^"]+)"', page)


async def test_a_topic_is_browsed_by_page_time_offset_and_key(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        assert "Nothing here." in (await looks.get("/records")).text
        await publish(place, 120)
        seen: list[str] = []
        path = "/records"
        while path:
            page = (await looks.get(path)).text
            seen += times(page)
            link = re.search(r'href="/dashboard(/records\?[^"]*below[^"]*)">Older', page)
            path = link.group(1).replace("&amp;", "&") if link else ""
        assert len(seen) == 120
        assert seen == sorted(seen, reverse=True)
        page = (await looks.get("/records?key=pay_1")).text
        assert len(times(page)) == 40
        assert ">pay_0<" not in page
        assert (
            len(times((await looks.get(f"/records?until={seen[-10]}".replace("+", "%2B"))).text))
            == 10
        )
        partition = partition_of("pay_0", place.settings.partitions)
        page = (await looks.get(f"/records?partition={partition}&offset=4")).text
        assert len(times(page)) == 5
        answer = await looks.get("/records?offset=4")
        assert (answer.status_code, "needs its partition" in answer.text) == (400, True)


async def test_one_record_is_shown_and_sent_again_with_a_confirmation(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        await publish(place, 1)
        partition = partition_of("pay_0", place.settings.partitions)
        url = f"/records/payments.commands/{partition}/0"
        page = (await looks.get(url)).text
        assert "&#34;n&#34;: 0" in page
        assert 'href="/dashboard/payments/pay_0"' in page
        assert (await looks.post(f"{url}/replay")).status_code == 400
        answer = await looks.post(f"{url}/replay", sure="yes")
        assert answer.headers["location"].endswith(f"?sent=payments.commands%2F{partition}%401")
        [row] = await place.rows("select actor, action, subject from audit")
        assert tuple(row) == (
            "operator:opr_1", "record.replay", f"payments.commands/{partition}@0",
        )  # fmt: skip
        assert (await looks.get(f"/records/payments.commands/{partition}/9")).status_code == 404
        looks.as_merchant("mer_a")
        for path in ("/records", url):
            assert (await looks.get(path)).status_code == 404
        assert (await looks.post(f"{url}/replay", sure="yes")).status_code == 404
