"""The screen Dead letters over a real log, with a real settle worker where it matters."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from headgate.embedded.stack import Stack
from headgate.streams.bus import Bus, Record
from headgate.streams.codec import dead_letter
from headgate.streams.log_reader import LogReader
from headgate.streams.topics import PAYMENT_COMMANDS, WEBHOOKS_READY, Topic, dead_letters_of
from tests.system.harness_dashboard import looking
from tests.system.harness_place import Place, holds, opened
from tests.system.harness_reading import Shop
from tests.system.harness_workers import Workers

pytestmark = pytest.mark.system
DEAD = "payments.commands.dead"


def died(place: Place, offset: int, reason: str, value: bytes, topic: Topic) -> Record:
    """A dead letter."""
    origin = Record(topic.full_name(place.settings), 0, b"pay_1", value, (("v", b"1"),), 1)
    return dead_letter(topic, place.settings, origin, offset, reason)


async def publish(place: Place, *records: Record) -> None:
    """Append to the log."""
    bus = Bus.of(place.settings, "test")
    await bus.start()
    try:
        await bus.publish_until_acked(records)
    finally:
        await bus.stop()


async def on_log(place: Place, topic: Topic) -> Sequence[Record]:
    """All records of a topic."""
    reader = LogReader(place.settings)
    try:
        extents = await reader.extents([topic.full_name(place.settings)])
        return [seen.record for seen in (await reader.read(extents)).seen]
    finally:
        await reader.close()


async def test_letters_are_looked_at_replayed_and_discarded_and_stay_handled(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        assert "There is no dead letter" in (await looks.get("/dead-letters")).text
        await publish(
            place,
            died(place, 7, "no payment pay_abcdefgh12", b'{"pan": "4111 1111 1111 1111"}',
                 PAYMENT_COMMANDS),
            died(place, 8, "no payment pay_zyxwvuts98", b"<b>\xff", PAYMENT_COMMANDS),
            died(place, 9, "body: missing", b"{}", WEBHOOKS_READY),
        )  # fmt: skip
        page = (await looks.get("/dead-letters")).text
        assert page.count('data-testid="dead-letter-group"') == 2
        assert "no payment …" in page
        assert "2 open" in page
        one = (await looks.get(f"/dead-letters/{DEAD}/0/0")).text
        assert "payments.commands/0@7" in one
        assert "4111 1111 1111 1111" not in one
        assert "************1111" in one
        assert "&lt;b&gt;" in (await looks.get(f"/dead-letters/{DEAD}/0/1")).text
        assert (await looks.post(f"/dead-letters/{DEAD}/0/1/discard", note=" ")).status_code == 400
        for path, note in (("0/replay", ""), ("1/discard", "a <b>test</b>")):
            answer = await looks.post(f"/dead-letters/{DEAD}/0/{path}", note=note)
            assert answer.status_code == 303, answer.text
        again = await looks.post(f"/dead-letters/{DEAD}/0/0/replay")
        assert again.status_code == 409
        [record] = await on_log(place, PAYMENT_COMMANDS)
        assert (record.key, record.partition) == (b"pay_1", 0)
        names = [name for name, _ in record.headers]
        assert names[0] == "v"
        assert [name for name in names if name.startswith("x-")] == ["x-replayed-from"]
        page = (await looks.get("/dead-letters")).text
        assert "all handled" in page
        said = (await looks.get(f"/dead-letters/{DEAD}/0/1")).text
        assert "discarded" in said
        assert "a &lt;b&gt;test&lt;/b&gt;" in said
        audit = await place.rows("select actor, action, subject from audit order by id")
        assert [tuple(row) for row in audit] == [
            ("operator:opr_1", "dead_letter.replay", f"{DEAD}/0@0"),
            ("operator:opr_1", "dead_letter.discard", f"{DEAD}/0@1"),
        ]


async def test_all_of_a_reason_are_handled_at_once(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        await publish(
            place, *(died(place, n, f"no payment pay_{n:08}", b"{}", PAYMENT_COMMANDS)
                     for n in range(5)),
        )  # fmt: skip
        page = (await looks.get("/dead-letters")).text
        [group] = re.findall(r'id="group-(\w+)"', page)
        await looks.post(f"/dead-letters/{DEAD}/0/2/discard", note="one alone")
        assert (await looks.post(f"/dead-letters/group/{group}/replay")).status_code == 303
        assert len(await on_log(place, PAYMENT_COMMANDS)) == 4
        assert (await looks.post(f"/dead-letters/group/{group}/replay")).status_code == 409
        assert (await looks.post("/dead-letters/group/other/discard", note="n")).status_code == 409
        assert await place.number("select count(*) from audit") == 5


@pytest.mark.timeout(120)
async def test_a_letter_replayed_twice_is_worked_on_once(stack: Stack, tmp_path: Path) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        workers = Workers(place, "settle", tmp_path)
        bus = Bus.of(place.settings, "test")
        await bus.start()
        try:
            await workers.start(0)
            await workers.until_only(0)
            shop = Shop(place, "mer_a")
            payment = shop.create(1, manual=True)
            made, shop.commands = shop.commands, []
            shop.capture(payment, 400)
            capture = shop.commands[0]
            await bus.publish_until_acked([shop._record(command) for command in shop.commands])
            dead = dead_letters_of(PAYMENT_COMMANDS)

            async def both_died() -> bool:
                return len(await on_log(place, dead)) == 2

            assert await holds(both_died, 30)
            shop.commands = made
            await shop.settle(bus)
            [letter, *_] = await on_log(place, dead)
            url = f"/dead-letters/{DEAD}/{letter.partition}/0/replay"
            answers = await asyncio.gather(*(looks.post(url) for _ in range(3)))
            assert {answer.status_code for answer in answers} <= {303, 409}

            async def caught_up() -> bool:
                end = len(await on_log(place, PAYMENT_COMMANDS))
                sql = "select coalesce(sum(next_offset), 0) from claims where topic = $1"
                return await place.number(sql, PAYMENT_COMMANDS.name) == end

            assert await holds(caught_up, 20)
            sql = "select count(*) from operations where command_id = $1"
            assert await place.number(sql, capture.command_id) == 1
            kind = "select count(*) from payment_children where payment_id = $1 and amount = 400"
            assert await place.number(kind, payment) == 1
            handled = await place.rows("select action from dead_letters_handled")
            assert [row["action"] for row in handled] == ["replayed"]
            await workers.stop()
        finally:
            workers.kill()
            await bus.stop()


async def test_a_merchant_sees_no_dead_letters_and_handles_none(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        await publish(place, died(place, 7, "no payment", b"{}", PAYMENT_COMMANDS))
        looks.as_merchant("mer_a")
        letter, group = f"/dead-letters/{DEAD}/0/0", "/dead-letters/group/abc"
        for path in ("/dead-letters", letter, group):
            assert (await looks.get(path)).status_code == 404
        for path in (letter, group):
            for verb in ("replay", "discard"):
                assert (await looks.post(f"{path}/{verb}", note="n")).status_code == 404
        assert await place.number("select count(*) from dead_letters_handled") == 0
