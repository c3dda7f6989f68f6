"""Release: what lanes hold goes when there is room, in order, and is never lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from headgate.agents.release import Owned, Release
from headgate.streams import ids
from headgate.streams.bus import Bus
from headgate.streams.clock import now_ms
from headgate.streams.deliveries import DeliveryWanted
from headgate.streams.settings import Settings
from headgate.tables.configuration import Endpoint
from headgate.tables.deliveries import HELD, REPEATED
from headgate.tables.held_store import Held, HeldLane, HeldStore, Room
from tests.unit.deliver_setting import ENDPOINT, WANTED, House

PARTITION = ids.partition_of("ep_1", Settings().partitions)
IN_ORDER = ENDPOINT.model_copy(update={"fifo": True})


def held(number: int, hold: int = 1, **more: object) -> Held:
    named = {"delivery_id": f"dlv_{number}", "token": f"dlv_{number}.1", "created_at_ms": 2}
    made = Held(
        WANTED.model_copy(update=named), PARTITION, hold, False, "crowded", since_ms=now_ms()
    )
    return replace(made, **more)  # type: ignore[arg-type]


@dataclass
class Shelf:
    """What is held, as PostgreSQL would tell it."""

    rows: list[Held] = field(default_factory=list)
    open: bool = False
    marked: list[tuple[str, int]] = field(default_factory=list)
    asked: list[Room] = field(default_factory=list)

    async def lanes(self, partitions: Sequence[int]) -> list[HeldLane]:
        if not self.rows or PARTITION not in partitions:
            return []
        return [HeldLane(PARTITION, "ep_1", self.open)]

    async def of_lanes(self, rooms: Sequence[Room]) -> list[Held]:
        self.asked += rooms
        (room,) = rooms
        found = [one for one in self.rows if room.fifo or not one.on_its_way]
        if room.parked_stay:
            found = [one for one in found if one.why != "disabled"]
        return found[: room.most]

    async def older(self, partitions: Sequence[int], than_ms: int) -> AsyncIterator[list[Held]]:
        yield [one for one in self.rows if one.since_ms < than_ms]

    async def released(self, going: Sequence[Held]) -> None:
        keys = {(one.wanted.token, one.hold) for one in going}
        self.marked += sorted(keys)
        self.rows = [
            replace(one, on_its_way=one.on_its_way or (one.wanted.token, one.hold) in keys)
            for one in self.rows
        ]

    async def passed(self, delivery_ids: Sequence[str]) -> None:
        self.rows = [one for one in self.rows if one.wanted.delivery_id not in delivery_ids]


class Yard:
    """A Release beside the lanes of a House."""

    def __init__(self, endpoint: Endpoint | None = ENDPOINT, settings: Settings | None = None):
        self.house = House(endpoint, settings or Settings())
        self.shelf = Shelf()
        self.readable = True
        self.partitions = {PARTITION}
        self.release = Release(
            self.house.settings,
            cast("HeldStore", self.shelf),
            cast("Bus", self.house.log),
            self.house.lanes,
            Owned(lambda: self.partitions, self.house.find, lambda _: self.readable),
        )

    async def round(self) -> list[str]:
        """The tokens that are released in one round."""
        before = len(self.house.log.records)
        await self.release.round()
        new = self.house.log.records[before:]
        return [_token(record.value) for record in new if record.topic == "webhooks.ready"]


def _token(value: bytes | None) -> str:
    return DeliveryWanted.model_validate_json(value or b"").token


async def test_what_has_room_goes_in_order_marked_as_a_repeat_with_its_hold() -> None:
    yard = Yard()
    yard.shelf.rows = [held(1, 3), held(2)]
    assert await yard.round() == ["dlv_1.1", "dlv_2.1"]
    record = yard.house.log.records[0]
    headers = dict(record.headers)
    assert (record.topic, record.partition) == ("webhooks.ready", PARTITION)
    assert (headers[HELD], REPEATED in headers) == (b"3", True)
    assert yard.shelf.marked == [("dlv_1.1", 3), ("dlv_2.1", 1)]
    assert await yard.round() == []


async def test_no_more_goes_than_finds_a_place_in_a_moment() -> None:
    yard = Yard(settings=Settings(webhook_endpoint_in_flight_max=2))
    lane = yard.house.lanes.of("ep_1")
    lane.mean_s = 1.0  # two places, a second each: two a second, and two places free
    yard.shelf.rows = [held(number) for number in range(20)]
    assert len(await yard.round()) == 4
    assert await yard.round() == [], "those are still on their way"
    await yard.house.handle(yard.shelf.rows[0].wanted, headers={HELD: b"1"})
    assert len(await yard.round()) > 0


async def test_the_rate_of_the_endpoint_bounds_what_goes() -> None:
    yard = Yard(ENDPOINT.model_copy(update={"rate_per_s": 5}))
    yard.house.clock.now += 100
    yard.shelf.rows = [held(number) for number in range(20)]
    await yard.house.handle()
    assert len(await yard.round()) in range(4, 11)


async def test_while_the_breaker_is_open_one_goes_as_its_probe() -> None:
    yard = Yard()
    yard.shelf.rows, yard.shelf.open = [held(1), held(2)], True
    assert await yard.round() == ["dlv_1.1"], "an earlier owner's breaker is open here too"
    assert await yard.round() == []
    await yard.house.handle(yard.shelf.rows[0].wanted, headers={HELD: b"1"})
    assert await yard.round() == ["dlv_2.1"], "the probe got through"


async def test_what_is_parked_waits_until_its_endpoint_is_enabled_08_r31() -> None:
    disabled = ENDPOINT.model_copy(update={"enabled": False})
    yard = Yard(disabled)
    yard.shelf.rows = [held(1, why="disabled")]
    assert await yard.round() == []
    yard.house.endpoints["ep_1"] = ENDPOINT
    assert await yard.round() == ["dlv_1.1"]


async def test_what_is_held_goes_to_be_parked_when_its_endpoint_is_disabled_08_r31() -> None:
    yard = Yard(ENDPOINT.model_copy(update={"enabled": False}))
    yard.shelf.rows = [held(1, why="open"), held(2, why="disabled")]
    assert await yard.round() == ["dlv_1.1"]
    yard.shelf.rows = [held(1, 2, why="disabled"), held(2, why="disabled")]
    asked = len(yard.shelf.asked)
    yard.house.clock.now += 20
    assert await yard.round() == []
    assert len(yard.shelf.asked) == asked, "what is parked is not asked about at every round"
    yard.house.endpoints["ep_1"] = ENDPOINT
    assert await yard.round() == ["dlv_1.1", "dlv_2.1"]


async def test_what_this_process_cannot_send_waits_08_r31() -> None:
    yard = Yard()
    yard.shelf.rows = [held(1)]
    yard.readable = False
    assert await yard.round() == []
    yard.readable = True
    yard.house.endpoints.clear()
    assert await yard.round() == []
    yard.house.endpoints["ep_1"] = ENDPOINT
    yard.partitions = set()
    assert await yard.round() == [], "the lane went to another process"
    yard.partitions = {PARTITION}
    assert await yard.round() == ["dlv_1.1"]


async def test_those_of_a_deleted_endpoint_go_to_be_canceled_08_r31() -> None:
    yard = Yard(ENDPOINT.model_copy(update={"enabled": False, "deleted": True}))
    yard.shelf.rows = [held(number) for number in range(30)]
    assert len(await yard.round()) == 30


async def test_what_is_held_for_75_6_hours_has_failed_08_r29() -> None:
    yard = Yard()
    old = now_ms() - 272_161_000
    yard.shelf.rows = [held(1, why="open", since_ms=old)]
    yard.house.endpoints["ep_1"] = ENDPOINT.model_copy(update={"enabled": False})
    await yard.round()
    (made,) = yard.house.log.attempts()
    assert (made.kind, made.token, made.next_attempt) == ("failed", "dlv_1.1", None)
    assert made.error == ("held until the end of its 75.6 hours: the endpoint could not be reached")


async def test_a_longer_schedule_has_a_longer_window_08_r29() -> None:
    days = {"schedule": "custom", "waits_ms": (259_200_000,) * 2}
    yard = Yard(ENDPOINT.model_copy(update=days))
    old = now_ms() - 272_161_000
    yard.shelf.rows = [held(1, since_ms=old)]
    await yard.round()
    assert yard.house.log.attempts() == []


async def test_in_order_a_run_begins_when_the_one_before_is_over_08_r32() -> None:
    yard = Yard(IN_ORDER)
    yard.shelf.rows = [held(number) for number in (1, 2, 3)]
    assert await yard.round() == ["dlv_1.1", "dlv_2.1", "dlv_3.1"]
    yard.shelf.rows.append(held(4))
    assert await yard.round() == []
    await asyncio.gather(
        *(yard.house.handle(one.wanted, headers={HELD: b"1"}) for one in yard.shelf.rows[:3])
    )
    yard.shelf.rows = [one for one in yard.shelf.rows if one.wanted.delivery_id == "dlv_4"]
    assert await yard.round() == ["dlv_4.1"]


async def test_in_order_nothing_goes_past_what_is_on_its_way_08_r32() -> None:
    yard = Yard(IN_ORDER)
    yard.shelf.rows = [held(1, on_its_way=True), held(2)]
    for _ in range(3):
        assert await yard.round() == [], "the first one waits in a delay topic, say"
    yard.shelf.rows[0] = held(1, 2)
    assert await yard.round() == ["dlv_1.1", "dlv_2.1"]


async def test_in_order_a_head_that_is_gone_from_the_table_is_over() -> None:
    yard = Yard(IN_ORDER)
    yard.shelf.rows = [held(1), held(2)]
    await yard.round()
    yard.shelf.rows = [held(3)]
    assert [token for _ in range(3) for token in await yard.round()] == ["dlv_3.1"]


@pytest.mark.parametrize("blocks", [True, False])
async def test_an_exhausted_head_blocks_as_long_as_the_endpoint_wants_it_08_r32(
    blocks: bool,
) -> None:
    yard = Yard(IN_ORDER.model_copy(update={"fifo_blocks": blocks}))
    yard.shelf.rows = [held(1, on_its_way=True, why="exhausted"), held(2)]
    released = [token for _ in range(3) for token in await yard.round()]
    assert released == ([] if blocks else ["dlv_2.1"])


async def test_a_lane_without_anything_held_is_not_asked_for_ever() -> None:
    yard = Yard()
    yard.house.lanes.held("ep_1")
    await yard.round()
    yard.house.clock.now += 16
    await yard.round()
    assert yard.house.lanes.backlogs == {}
    before = len(yard.shelf.asked)
    await yard.round()
    assert len(yard.shelf.asked) == before
