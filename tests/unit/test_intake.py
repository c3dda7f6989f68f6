"""Records reach a loop claimed, of this assignment and without holes (08 R4, 03 §11.2)."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from uuid import uuid4

import pytest

from headgate.streams.connection import Record
from headgate.streams.engine import intake
from headgate.streams.engine.claims import Claim, Ownership
from headgate.streams.engine.intake import Delivered, Intake
from headgate.streams.errors import LogUnavailable
from tests.unit.fakes import (
    TOPIC,
    FakeClaimStore,
    FakeEvent,
    FakeSource,
    Stream,
    event,
    events,
    own,
    ownership,
    until,
)


class Setting:
    """An intake of 100 places over partitions 0 and 1, claimed from the given offsets."""

    def __init__(self, waiting_max: int = 100) -> None:
        self.store = FakeClaimStore()
        self.source = FakeSource()
        self.owner: Ownership = ownership(self.store)
        self.intake = Intake(TOPIC, self.source, self.owner, waiting_max)

    async def claim(self, **published: int) -> Setting:
        """Own both partitions; `p0=7` is where the outputs of partition 0 are published."""
        claims = await own(self.owner, 0, 1)
        for name, offset in published.items():
            claims[int(name[1:])].position = offset
        return self

    async def arrive(self, *batch: FakeEvent) -> None:
        """Feed these records and wait until they are in."""
        before = len(self.intake)
        stream = Stream()
        stream.push(*batch)
        feeding = asyncio.create_task(self.intake.feed(stream))
        await until(lambda: len(self.intake) == before + len(batch))
        feeding.cancel()

    async def take(self, *batch: FakeEvent, most: int = 1000) -> list[int]:
        """Feed these records and say which offsets a loop gets."""
        await self.arrive(*batch)
        return offsets(self.intake.take(most))


def offsets(records: list[Delivered]) -> list[int]:
    return [record.offset for record in records]


@pytest.fixture
async def here() -> Setting:
    return await Setting().claim()


# What is handed out


async def test_records_come_in_order_from_the_claims_position(here: Setting) -> None:
    assert await here.take(*events(range(5))) == [0, 1, 2, 3, 4]
    assert here.owner.of(TOPIC)[0].position == 5


async def test_at_most_so_many_are_taken_and_the_rest_waits(here: Setting) -> None:
    assert await here.take(*events(range(5)), most=2) == [0, 1]
    assert len(here.intake) == 3
    assert offsets(here.intake.take(2)) == [2, 3]


async def test_partitions_do_not_hold_each_other_up(here: Setting) -> None:
    mixed = [event(0), event(0, partition=1), event(2), event(1, partition=1)]
    await here.arrive(*mixed)
    taken = here.intake.take(10)
    assert [(r.partition, r.offset) for r in taken] == [(0, 0), (1, 0), (1, 1)]


async def test_nothing_is_taken_without_a_claim(here: Setting) -> None:
    stray = event(0, partition=7)
    assert await here.take(stray) == []
    assert stray.acked == 0


async def test_nothing_is_taken_before_the_claims_are_there() -> None:
    """03 §11.2 hole 3: batches would run before the assignment is through."""
    here = Setting()
    record = event(0)
    assert await here.take(record) == []
    assert len(here.intake) == 1
    await here.claim()
    assert offsets(here.intake.take(1)) == [0]


async def test_nothing_is_taken_once_a_revoke_has_begun(here: Setting) -> None:
    """08 R5: it would be worked on after the revoke, and nobody would wait for it."""
    await here.arrive(event(0))
    halting = asyncio.Event()

    class Slow:
        waiting_for: str | None = None

        async def halt(self, within_s: float) -> None:
            await halting.wait()

    here.owner.loops.append(Slow())
    revoking = asyncio.create_task(here.owner.revoked(1))
    await asyncio.sleep(0)
    assert here.owner.of(TOPIC)
    assert here.intake.take(10) == []
    halting.set()
    await revoking


async def test_records_of_an_earlier_assignment_are_dropped_unacknowledged(here: Setting) -> None:
    old, new = event(0, generation=1), event(0, generation=2)
    here.source.generation = 2
    assert await here.take(old, new) == [0]
    assert (old.acked, new.acked) == (0, 0)


async def test_what_was_published_earlier_is_only_acknowledged() -> None:
    """08 R3: below `published_offset` nothing is told again."""
    here = await Setting().claim(p0=3)
    batch = events(range(5))
    assert await here.take(*batch) == [3, 4]
    assert [one.acked for one in batch] == [1, 1, 1, 0, 0]


async def test_a_record_carries_what_a_handler_and_a_dead_letter_need(here: Setting) -> None:
    one = event(0, b"\x00")
    one.message.headers = {"v": b"1"}
    await here.arrive(one)
    [record] = here.intake.take(1)
    assert record.timestamp_ms == 1500
    assert record.as_record("replay." + TOPIC) == Record(
        "replay." + TOPIC, 0, b"key", b"\x00", (("v", b"1"),), 1500
    )


async def test_headers_may_also_come_as_pairs_and_keys_may_be_missing(here: Setting) -> None:
    one = event(0, None)
    one.message.key, one.message.headers = None, [("v", b"1")]
    await here.arrive(one)
    [record] = here.intake.take(1)
    assert (record.key, record.value, record.headers) == (b"", None, {"v": b"1"})


# Holes


async def test_a_hole_is_read_again_once_and_what_is_behind_it_dropped(here: Setting) -> None:
    """08 R4: a rebalance made Faust pass over 40 to 540 records, and commit behind them."""
    behind = events([5, 6, 7])
    assert await here.take(*events([0, 1]), *behind) == [0, 1]
    await here.intake.close_holes()
    await here.intake.close_holes()
    assert here.source.rewinds == [(0, 2)]
    assert all(one.acked == 0 for one in behind)
    more = events([8, 9])
    assert await here.take(*more) == []
    await here.intake.close_holes()
    assert here.source.rewinds == [(0, 2)]
    assert await here.take(*events(range(2, 10))) == list(range(2, 10))


async def test_the_next_hole_is_read_again_too(here: Setting) -> None:
    for first, second in ((0, 4), (1, 6)):
        await here.take(event(first), event(second))
        await here.intake.close_holes()
    assert here.source.rewinds == [(0, 1), (0, 2)]


async def test_a_hole_that_reading_again_did_not_close_is_tried_again_ever_later(
    here: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sought at every idle turn, a record that is slow to come would be thrown away each time: so
    a notify worker once stood still on a busy machine until its watchdog ended it."""
    now = 1000.0
    monkeypatch.setattr(intake, "time", SimpleNamespace(monotonic=lambda: now))
    await here.take(event(3))
    await here.intake.close_holes()
    here.source.ends = {0: 4}
    sought = []
    for _ in range(20):
        now += 1
        await here.intake.reread_lost()
        sought.append(len(here.source.rewinds))
    assert sought == [1] * 1 + [2] * 4 + [3] * 8 + [4] * 7
    assert set(here.source.rewinds) == {(0, 0)}


async def test_records_lost_at_the_end_are_read_again_when_nothing_arrives(here: Setting) -> None:
    """No later record shows that hole; the end of the log does."""
    await here.take(*events(range(3)))
    here.source.ends = {0: 5, 1: 0}
    await here.intake.reread_lost()
    assert here.source.rewinds == [(0, 3)]


async def test_nothing_is_read_again_when_all_is_here_or_nothing_is_known(here: Setting) -> None:
    await here.take(*events(range(3)))
    here.source.ends = {0: 3}
    await here.intake.reread_lost()
    assert here.source.rewinds == []


async def test_a_hole_of_a_partition_that_was_given_back_is_none_of_our_business(
    here: Setting,
) -> None:
    await here.take(event(3))
    await here.owner.revoked(0.1)
    await here.intake.close_holes()
    assert here.source.rewinds == []


async def test_what_came_before_its_partition_was_claimed_is_read_again_after_it(
    here: Setting,
) -> None:
    """A refused partition is claimed late, while others keep the loop from ever being idle."""
    assert await here.take(event(0, partition=7)) == []
    await here.intake.close_holes()
    assert here.source.rewinds == []
    here.owner.claims[TOPIC, 7] = Claim(uuid4(), 0, 0)
    await here.intake.close_holes()
    await here.intake.close_holes()
    assert here.source.rewinds == [(7, 0)]


async def test_only_what_retention_removed_is_passed_over(here: Setting) -> None:
    """08 R4: nobody can wait for records that no longer exist."""
    here.source.starts = {0: 40}
    assert await here.take(event(40)) == []
    await here.intake.close_holes()
    assert here.source.rewinds == [(0, 40)]
    assert await here.take(*events([40, 41])) == [40, 41]


async def test_a_log_that_retention_emptied_is_passed_over_without_a_record(here: Setting) -> None:
    here.source.starts = here.source.ends = {0: 40}
    await here.intake.reread_lost()
    assert here.owner.of(TOPIC)[0].position == 40
    here.source.rewinds.clear()
    await here.intake.reread_lost()
    assert here.source.rewinds == []


async def test_a_hole_stays_known_while_kafka_is_away(here: Setting) -> None:
    here.source.away = True
    await here.take(event(3))
    with pytest.raises(LogUnavailable):
        await here.intake.close_holes()
    here.source.away, here.source.ends = False, {0: 4}
    await here.intake.reread_lost()
    assert here.source.rewinds == [(0, 0)]


# The queue


async def test_a_full_queue_holds_the_stream_back_until_half_of_it_is_taken() -> None:
    here = await Setting(waiting_max=4).claim()
    stream = Stream()
    stream.push(*events(range(10)))
    feeding = asyncio.create_task(here.intake.feed(stream))
    await until(lambda: len(here.intake) == 4)
    await asyncio.sleep(0.01)
    assert len(here.intake) == 4
    assert offsets(here.intake.take(2)) == [0, 1]
    await asyncio.sleep(0.01)
    assert len(here.intake) == 2
    assert offsets(here.intake.take(1)) == [2]
    await until(lambda: len(here.intake) == 4)
    feeding.cancel()


async def test_forgetting_what_waits_lets_the_stream_go_on() -> None:
    here = await Setting(waiting_max=2).claim()
    stream = Stream()
    stream.push(*events(range(3)))
    feeding = asyncio.create_task(here.intake.feed(stream))
    await until(lambda: len(here.intake) == 2)
    here.intake.clear()
    await until(lambda: len(here.intake) == 1)
    feeding.cancel()


async def test_waiting_ends_with_the_first_record_or_with_its_limit(here: Setting) -> None:
    assert not await here.intake.wait(0.001)
    waiting = asyncio.create_task(here.intake.wait(5))
    await here.arrive(event(0))
    assert await waiting
    assert await here.intake.wait(0)
