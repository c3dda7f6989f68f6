"""What lanes hold, in PostgreSQL: told late, told twice, released, ended (04 §9.6, 08 R29, R31)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate.streams.clock import from_ms
from headgate.streams.deliveries import AttemptMade, DeliveryNoted, DeliveryWanted, What, Why
from headgate.streams.engine.claims import Claim
from headgate.streams.settings import Settings
from headgate.tables.claims import PostgresClaims
from headgate.tables.deliveries import manual_token, probe_token, scheduled_token, successor
from headgate.tables.deliveries_store import DeliveryStore
from headgate.tables.held_store import HeldStore, Noted, Room
from headgate.tables.migrate import migrate
from headgate.tables.postgres import Postgres

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

NOW = 1_800_000_000_000
EVERYTHING = Room(0, "ep_1", 100, fifo=False)
IN_ORDER = Room(0, "ep_1", 100, fifo=True)


def wanted(number: int = 1, attempt: int = 1) -> DeliveryWanted:
    return DeliveryWanted(
        delivery_id=f"dlv_{number}",
        event_id=f"evt_{number}",
        endpoint_id="ep_1",
        merchant_id="mer_1",
        payment_id="pay_1",
        mode="test",
        type="payment.success",
        attempt=attempt,
        token=scheduled_token(f"dlv_{number}", attempt),
        body=f'{{"n":{number}}}',
        created_at_ms=NOW + number,
    )


def asked(number: int = 1) -> DeliveryWanted:
    token = manual_token(f"dlv_{number}", "nonce")
    return wanted(number).model_copy(update={"manual": True, "token": token})


class Shelf:
    """The two stores and the claim that the projection needs."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.postgres = Postgres(settings)
        self.held = HeldStore(self.postgres)
        self.store = DeliveryStore(self.postgres)
        self.claims: dict[int, Claim] = {}

    async def open(self) -> None:
        await migrate(self.settings)
        claims = PostgresClaims(self.postgres)
        self.claims = await claims.take("webhooks.attempts", {0: 0}, "test")
        async with self.postgres.connection() as connection:
            for number in range(1, 6):
                one = wanted(number)
                await connection.execute(
                    "insert into webhook_deliveries (id, event_id, endpoint_id, merchant_id, mode,"
                    " payment_id, type, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8)",
                    *(one.delivery_id, one.event_id, one.endpoint_id, one.merchant_id, one.mode),
                    *(one.payment_id, one.type, from_ms(one.created_at_ms)),
                )

    async def project(self, *told: AttemptMade | DeliveryNoted) -> None:
        made = [one for one in told if isinstance(one, AttemptMade)]
        noted = [Noted(one, 0) for one in told if isinstance(one, DeliveryNoted)]
        await self.store.project(self.claims, {0: 1}, made, noted)

    async def waiting(self, room: Room = EVERYTHING) -> list[tuple[str, int]]:
        return [(one.wanted.token, one.hold) for one in await self.held.of_lanes([room])]

    async def status(self, number: int = 1) -> str:
        async with self.postgres.connection() as connection:
            status: str = await connection.fetchval(
                "select status from webhook_deliveries where id = $1", f"dlv_{number}"
            )
        return status


def noted(
    of: DeliveryWanted,
    hold: int = 1,
    *,
    what: What = "held",
    why: Why = "crowded",
    position: int | None = None,
    fifo: bool = False,
) -> DeliveryNoted:
    place = int(of.event_id.removeprefix("evt_")) if position is None else position
    since = NOW + 1000 * hold + place
    return DeliveryNoted(
        what=what, why=why, wanted=of, hold=hold, position=place, fifo=fifo, at_ms=since
    )


def made(of: DeliveryWanted, kind: str = "failed", **more: object) -> AttemptMade:
    ended = kind == "success" or of.manual
    known = {
        **of.model_dump(exclude={"v", "body"}),
        "kind": kind,
        "status_code": 200 if kind == "success" else 500,
        "error": None,
        "answer": "",
        "started_at_ms": NOW,
        "duration_ms": 1,
        "next_attempt": None if ended else of.attempt + 1,
        "next_at_ms": None if ended else NOW + 60_000,
    }
    return AttemptMade.model_validate(known | more)


@pytest.fixture
async def shelf(live_settings: Settings, tmp_path: os.PathLike[str]) -> AsyncIterator[Shelf]:
    shelf = Shelf(live_settings.model_copy(update={"state_dir": tmp_path}))
    await shelf.open()
    yield shelf
    await shelf.postgres.close()


async def test_what_is_held_is_shown_and_found_in_order_with_its_body(shelf: Shelf) -> None:
    await shelf.project(noted(wanted(2)), noted(wanted(1)), noted(wanted(3), why="open"))
    assert [await shelf.status(number) for number in (1, 2, 3, 4)] == [
        *("held", "held", "held", "pending")
    ]
    held = await shelf.held.of_lanes([Room(0, "ep_1", 2, fifo=False)])
    assert [(one.wanted.delivery_id, one.wanted.body) for one in held] == [
        ("dlv_1", '{"n":1}'),
        ("dlv_2", '{"n":2}'),
    ]
    (lane,) = await shelf.held.lanes([0, 1])
    assert (lane.endpoint_id, lane.partition, lane.open) == ("ep_1", 0, True)
    assert await shelf.held.lanes([1]) == []


async def test_what_was_released_is_not_found_again_until_it_is_held_again(shelf: Shelf) -> None:
    await shelf.project(noted(wanted()))
    held = await shelf.held.of_lanes([EVERYTHING])
    await shelf.held.released(held)
    assert await shelf.waiting() == []
    assert [one.on_its_way for one in await shelf.held.of_lanes([IN_ORDER])] == [True]
    await shelf.project(noted(wanted()))
    assert await shelf.waiting() == [], "told twice, but held once"
    await shelf.project(noted(wanted(), 2))
    await shelf.held.released(held)
    assert await shelf.waiting() == [("dlv_1.1", 2)], "marking the first release changes nothing"


async def test_an_attempt_ends_its_hold_also_when_both_are_told_together(shelf: Shelf) -> None:
    await shelf.project(noted(wanted(1)), noted(wanted(2)))
    await shelf.project(made(wanted(1)), noted(wanted(3)), made(wanted(3), "success"))
    assert await shelf.waiting() == [("dlv_2.1", 1)]
    assert [await shelf.status(number) for number in (1, 2, 3)] == ["pending", "held", "success"]
    await shelf.project(noted(wanted(1)), noted(wanted(3)))
    assert await shelf.waiting() == [("dlv_2.1", 1)], "told late"


async def test_the_next_attempt_may_be_held_in_the_batch_of_the_one_before(shelf: Shelf) -> None:
    second = successor(wanted(), 2, 0).wanted
    await shelf.project(noted(wanted(), 7))
    await shelf.project(made(wanted()), noted(second))
    assert await shelf.waiting() == [("dlv_1.2", 1)]
    assert await shelf.status() == "held"


async def test_a_failed_probe_is_an_attempt_but_uses_up_no_try_08_r29(shelf: Shelf) -> None:
    await shelf.project(noted(wanted()))
    probe = wanted().model_copy(update={"token": probe_token(wanted(), 2)})
    told = made(probe, probe=True, next_attempt=None, next_at_ms=None)
    await shelf.project(told, noted(wanted(), 2, why="open"))
    assert await shelf.waiting() == [("dlv_1.1", 2)]
    assert await shelf.status() == "held"
    await shelf.project(made(wanted()))
    assert await shelf.waiting() == []
    (known,) = await shelf.store.known([wanted()])
    assert (known.recorded, known.next_attempt) == (True, 2)


async def test_parked_ones_are_shown_as_that_and_come_back(shelf: Shelf) -> None:
    await shelf.project(noted(wanted(), what="parked", why="disabled"))
    assert await shelf.status() == "parked"
    assert await shelf.waiting() == [("dlv_1.1", 1)]


async def test_a_canceled_delivery_is_over_whatever_is_told_of_it_later(shelf: Shelf) -> None:
    await shelf.project(noted(wanted(1)))
    command = asked(1).model_copy(update={"token": "cancel"})
    await shelf.project(noted(command, what="canceled", why="asked", position=50))
    assert await shelf.waiting() == []
    assert await shelf.status() == "canceled"
    await shelf.project(made(wanted(1)))
    await shelf.project(noted(successor(wanted(1), 2, 0).wanted, position=60))
    assert (await shelf.status(), await shelf.waiting()) == ("canceled", [])
    (known,) = await shelf.store.known([successor(wanted(1), 2, 0).wanted])
    assert known.delivered, "its timers are dropped"
    await shelf.project(made(asked(1), "success"))
    assert await shelf.status() == "success", "a person asked for it, and it arrived"


async def test_a_success_is_not_canceled(shelf: Shelf) -> None:
    await shelf.project(made(wanted(), "success"))
    await shelf.project(noted(asked(), what="canceled", why="asked", position=50))
    assert await shelf.status() == "success"


async def test_what_a_person_asked_for_is_held_beside_the_schedule(shelf: Shelf) -> None:
    await shelf.project(made(wanted()), noted(asked()))
    assert await shelf.status() == "pending", "the schedule goes on"
    await shelf.project(noted(successor(wanted(), 2, 0).wanted))
    assert sorted(token for token, _ in await shelf.waiting()) == ["dlv_1.2", asked().token]
    await shelf.project(made(asked()))
    assert await shelf.waiting() == [("dlv_1.2", 1)]
    await shelf.project(noted(asked(2)), noted(wanted(2)), made(wanted(2), "success"))
    assert await shelf.waiting() == [("dlv_1.2", 1), (asked(2).token, 1)]


async def test_a_head_stays_while_it_is_tried_again_and_keeps_its_place_08_r32(
    shelf: Shelf,
) -> None:
    for number in (1, 2):
        await shelf.project(noted(wanted(number), why="fifo", fifo=True))
    await shelf.held.released((await shelf.held.of_lanes([IN_ORDER]))[:1])
    await shelf.project(made(wanted(1)))
    held = await shelf.held.of_lanes([IN_ORDER])
    assert [(one.wanted.token, one.on_its_way) for one in held] == [
        ("dlv_1.1", True),
        ("dlv_2.1", False),
    ]
    second = successor(wanted(1), 2, 0).wanted
    await shelf.project(noted(second, why="fifo", fifo=True, position=99))
    assert await shelf.waiting(IN_ORDER) == [("dlv_1.2", 1), ("dlv_2.1", 1)]
    assert await shelf.held.before("dlv_2") == "dlv_1"
    assert await shelf.held.before("dlv_1") is None
    await shelf.project(made(second, "success"))
    assert await shelf.waiting(IN_ORDER) == [("dlv_2.1", 1)]


async def test_an_exhausted_head_leaves_or_blocks_08_r32(shelf: Shelf) -> None:
    last: dict[str, Any] = {"next_attempt": None, "next_at_ms": None}
    for number in (1, 2):
        await shelf.project(noted(wanted(number), why="fifo", fifo=True))
    blocked = noted(wanted(1), 2, what="blocked", why="exhausted", fifo=True)
    await shelf.project(made(wanted(1), **last), blocked)
    held = await shelf.held.of_lanes([IN_ORDER])
    assert [(one.why, one.on_its_way) for one in held] == [("exhausted", True), ("fifo", False)]
    assert await shelf.status() == "failed"
    await shelf.held.passed(["dlv_1"])
    await shelf.project(made(wanted(2), **last))
    assert await shelf.waiting(IN_ORDER) == []


async def test_what_is_old_is_found_but_for_what_is_parked(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headgate.tables.held_store.PAGE", 2)
    parked = noted(wanted(2), what="parked", why="disabled")
    await shelf.project(*(noted(wanted(number)) for number in (1, 3, 4, 5)), parked)
    await shelf.project(noted(wanted(1), 2), noted(wanted(5), 2))
    assert [page async for page in shelf.held.older([0], NOW + 1000)] == [[]]
    pages = [page async for page in shelf.held.older([0], NOW + 1005)]
    found = [[one.wanted.delivery_id for one in page] for page in pages]
    assert found == [["dlv_1", "dlv_3"], ["dlv_4"]]
