"""The screens Log and Workers over a real log and real rows."""

from __future__ import annotations

import re

import pytest

from headgate.embedded.stack import Stack
from headgate.streams.bus import Bus, Record
from headgate.streams.clock import now_ms
from headgate.streams.delays import delayed
from headgate.streams.engine.claims import Claim
from headgate.streams.topics import PAYMENT_COMMANDS, WEBHOOKS_READY
from headgate.tables.claims import PostgresClaims
from headgate.tables.postgres import Postgres
from tests.system.harness_dashboard import looking
from tests.system.harness_place import Place, opened

pytestmark = pytest.mark.system


def row_of(page: str, row_id: str) -> str:
    """The cells of a table's row as text, one space between words."""
    found = re.search(rf'<tr id="{re.escape(row_id)}".*?</tr>', page, re.DOTALL)
    assert found, f"no row {row_id}"
    return " ".join(re.sub(r"<[^>]+>", " ", found.group()).split())


async def publish(place: Place, *records: Record) -> None:
    """Append to the log."""
    bus = Bus.of(place.settings, "test")
    await bus.start()
    try:
        await bus.publish(records)
    finally:
        await bus.stop()


def record(place: Place, partition: int = 0, value: bytes = b"{}") -> Record:
    """A command of no meaning."""
    return Record(PAYMENT_COMMANDS.full_name(place.settings), partition, b"pay_1", value)


async def test_the_log_shows_topics_lag_and_what_waits(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        ready = Record(WEBHOOKS_READY.full_name(place.settings), 1, b"whe_1", b"{}")
        at_ms = now_ms()
        late = delayed(ready, at_ms - 3_600_000, at_ms - 3_700_000, place.settings)
        soon = delayed(ready, at_ms + 3_600_000, at_ms, place.settings)
        await publish(place, *(record(place, n % 2) for n in range(5)), late, soon)
        store = PostgresClaims(Postgres(place.settings))
        claims = await store.take(PAYMENT_COMMANDS.name, {0: 0, 1: 0}, "headgate/settle/0#1")
        token = claims[0].token
        await store.advance(PAYMENT_COMMANDS.name, {0: Claim(token, 1, 1)})
        await store._postgres.close()
        page = (await looks.get("/log")).text
        commands = row_of(page, "topic-payments.commands")
        assert commands.startswith("payments.commands - 5 5 ")
        assert re.search(r" [\d.]+ (B|kB) for ever ", commands)
        assert row_of(page, "reader-settle-payments.commands") == (
            "settle payments.commands 2 of 4 4 partition 0: 2 -"
        )
        assert re.fullmatch(r"delay.1m 1 [-0-9: ]+ by \d+ min", row_of(page, "delay-1m"))
        assert re.fullmatch(r"delay.30m 1 [-0-9: ]+ no", row_of(page, "delay-30m"))
        assert row_of(page, "delay-24h") == "delay.24h 0 - no"


async def test_workers_are_shown_with_what_they_own(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        assert "No worker has ever run here" in (await looks.get("/workers")).text
        store = PostgresClaims(Postgres(place.settings))
        await store.register("headgate/settle/0", "settle", 0)
        for _ in range(2):
            await store.take(PAYMENT_COMMANDS.name, {0: 0, 1: 0, 3: 0}, "headgate/settle/0#1")
        await store.beat("headgate/settle/0", 1, {"payments.commands": [0, 1, 3]}, "")
        await store.register("headgate/notify/0", "notify", 6)
        await store.beat("headgate/notify/0", 7, {}, "Kafka does not answer <b>")
        await store._postgres.close()
        page = (await looks.get("/workers")).text
        settle = row_of(page, "worker-headgate/settle/0")
        assert "running payments.commands 0-1, 3 - " in settle
        assert "partitions given out 2 times" in settle
        assert settle.endswith("start 1 0.1.0")
        assert "waits Kafka does not answer &lt;b&gt; none" in row_of(
            page, "worker-headgate/notify/0"
        )
        await place.rows("update instances set beat_at = now() - interval '3 hours'")
        page = (await looks.get("/workers")).text
        assert "silent no heartbeat for 3 h none" in row_of(page, "worker-headgate/settle/0")


@pytest.mark.parametrize("path", ["/log", "/log/live", "/workers", "/workers/live"])
async def test_the_machine_room_is_not_there_for_merchants(stack: Stack, path: str) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        looks.as_merchant("mer_a")
        answer = await looks.get(path)
        assert answer.status_code == 404
        assert "/dashboard/log" not in answer.text


async def test_kafka_away_is_said_in_words(stack: Stack) -> None:
    async with (
        opened(stack) as place,
        looking(place.settings.model_copy(update={"kafka": "127.0.0.1:1"})) as looks,
    ):
        answer = await looks.get("/log")
        assert answer.status_code == 503
        assert "Kafka at 127.0.0.1:1 does not tell" in answer.text
