"""A small world around Deliver and Release: a log, its projection, timers, people, crashes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from headgate.agents.release import Owned, Release
from headgate.streams import ids
from headgate.streams.bus import Bus, Record
from headgate.streams.codec import decode
from headgate.streams.deliveries import (
    ATTEMPT_MADE,
    CANCEL,
    DELIVERY_NOTED,
    DELIVERY_WANTED,
    NOTICE,
    AttemptMade,
    DeliveryNoted,
    DeliveryWanted,
)
from headgate.streams.outbound.transport import Answer
from headgate.streams.settings import Settings
from headgate.tables.configuration import Endpoint
from headgate.tables.deliveries import REPEATED, manual_token, ready
from headgate.tables.deliveries_store import Known
from headgate.tables.held_store import Held, HeldLane, HeldStore, Room, chain_of
from headgate.tables.notices import cancel
from tests.unit.deliver_setting import ENDPOINT, WANTED, House, answer

SETTINGS = Settings(
    webhook_breaker_failures_max=2, webhook_lane_wait_ms=1, webhook_endpoint_in_flight_max=2
)
PARTITION = ids.partition_of("ep_1", SETTINGS.partitions)


@dataclass
class Row:
    """A delivery as `webhook_deliveries` and `webhook_attempts` have it."""

    status: str = "pending"
    attempts: dict[str, AttemptMade] = field(default_factory=dict)


@dataclass
class HeldRow:
    """A row of `held_deliveries`."""

    wanted: DeliveryWanted
    position: int
    hold: int
    released: int
    why: str
    fifo: bool


class Projection:
    """What project makes of `webhooks.attempts`: the statements of notify.sql and held.sql in
    Python, so that their rules can be tried in thousands of orders."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.held: dict[tuple[str, str], HeldRow] = {}

    def of(self, delivery_id: str) -> Row:
        return self.rows.setdefault(delivery_id, Row())

    def take(self, record: Record) -> None:
        if NOTICE in dict(record.headers):
            self._note(decode(DELIVERY_NOTED, record.value))
        else:
            self._attempt(decode(ATTEMPT_MADE, record.value))

    def _attempt(self, made: AttemptMade) -> None:
        row = self.of(made.delivery_id)
        known = row.attempts.get(made.token)
        if known is None or (known.kind != "success" and made.kind == "success"):
            row.attempts[made.token] = made
            aside = made.manual or made.probe
            if made.kind == "success" or row.status == "success":
                row.status = "success"
            elif row.status != "canceled" and not aside:
                row.status = "failed" if made.next_attempt is None else "pending"
        for key, held in list(self.held.items()):
            if key[0] == made.delivery_id and self._ended(made, held, key[1]):
                del self.held[key]

    def _ended(self, made: AttemptMade, held: HeldRow, chain: str) -> bool:
        over = not (made.manual or made.probe) and made.next_attempt is None
        this = held.wanted.token == made.token and (chain != "" or not held.fifo)
        return made.kind == "success" or (over and chain == "") or this

    def _note(self, notice: DeliveryNoted) -> None:
        wanted, row = notice.wanted, self.of(notice.wanted.delivery_id)
        if notice.what == "canceled":
            for key, held in list(self.held.items()):
                if key[0] == wanted.delivery_id and held.position <= notice.position:
                    del self.held[key]
            if row.status in ("pending", "held", "parked"):
                row.status = "canceled"
            return
        key = (wanted.delivery_id, chain_of(wanted))
        if key[1] == "" and row.status in ("success", "canceled"):
            return
        if notice.what != "blocked" and wanted.token in row.attempts:
            return
        known = self.held.get(key)
        if known and (wanted.attempt, notice.hold) <= (known.wanted.attempt, known.hold):
            return
        places = [held.position for at, held in self.held.items() if at[0] == key[0]]
        released = notice.hold if notice.what == "blocked" else 0
        self.held[key] = HeldRow(
            *(wanted, min(places, default=notice.position), notice.hold, released),
            *(notice.why, notice.fifo),
        )
        if key[1] == "" and notice.what in ("held", "parked") and row.status != "failed":
            row.status = notice.what

    # What Release asks of the table.
    async def lanes(self, partitions: Sequence[int]) -> list[HeldLane]:
        waiting = [one for one in self.held.values() if one.released < one.hold]
        opened = any(one.why == "open" for one in waiting)
        return [HeldLane(PARTITION, "ep_1", opened)] if waiting else []

    async def of_lanes(self, rooms: Sequence[Room]) -> list[Held]:
        (room,) = rooms
        rows = sorted(self.held.items(), key=lambda one: (one[1].position, one[0][1]))
        found = [
            Held(
                *(row.wanted, PARTITION, row.hold, row.released >= row.hold, row.why),
                since_ms=0,
            )
            for _, row in rows
            if (room.fifo or row.released < row.hold)
            and not (room.parked_stay and (row.why == "disabled" or row.released >= row.hold))
        ]
        return found[: room.most]

    async def older(self, partitions: Sequence[int], than_ms: int) -> AsyncIterator[list[Held]]:
        del partitions, than_ms
        yield []

    async def released(self, held: Sequence[Held]) -> None:
        for one in held:
            row = self.held.get((one.wanted.delivery_id, one.chain))
            if row is not None and row.hold == one.hold:
                row.released = one.hold

    async def passed(self, delivery_ids: Sequence[str]) -> None:
        for delivery_id in delivery_ids:
            self.held.pop((delivery_id, ""), None)

    # What Deliver asks of it.
    async def known(self, wanted: Sequence[DeliveryWanted]) -> list[Known]:
        return [self._known(one) for one in wanted]

    def _known(self, wanted: DeliveryWanted) -> Known:
        row = self.of(wanted.delivery_id)
        over = row.status in ("success", "canceled")
        made = row.attempts.get(wanted.token)
        if made is None:
            return Known(delivered=over)
        return Known(True, made.next_attempt, made.next_at_ms, over)


@dataclass(frozen=True)
class Posting:
    """A POST that the receiver got."""

    wanted: DeliveryWanted
    projected_over: bool
    """Its delivery was known in PostgreSQL to have arrived or to be canceled."""
    commanded: bool
    """A cancel had been handled by the same process."""


class World:
    """One endpoint and its deliveries; every step may be followed by any other."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.house = House(endpoint, SETTINGS)
        self.table = Projection()
        self.house.store = self.table  # type: ignore[assignment]
        self.house.receiver = self  # type: ignore[assignment]
        self.house.poster._sender = self
        self.answers: list[int] = []
        self.postings: list[Posting] = []
        self.waiting: list[Record] = []
        """Records on their way to `webhooks.ready`, in delay topics or in it."""
        self.unprojected: list[Record] = []
        self.canceled_here: set[str] = set()
        self.nonce = 0
        self._handling: DeliveryWanted | None = None
        self._read = 0
        self.restart()

    def restart(self) -> None:
        """The process dies; another one begins with what the log and PostgreSQL know."""
        self.house.restart()
        self.canceled_here = set()
        self.release = Release(
            SETTINGS,
            cast("HeldStore", self.table),
            cast("Bus", self.house.log),
            self.house.lanes,
            Owned(lambda: {PARTITION}, self.house.find, lambda _: True),
        )

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout_ms: int,
        *,
        livemode: bool = False,
    ) -> Answer:
        del url, body, headers, timeout_ms, livemode
        wanted = self._handling
        assert wanted is not None
        status = self.table.of(wanted.delivery_id).status
        over = status in ("success", "canceled")
        self.postings.append(Posting(wanted, over, wanted.delivery_id in self.canceled_here))
        return answer(self.answers.pop() if self.answers else 200)

    def want(self, number: int) -> None:
        """A fact is matched: its first attempt is wanted."""
        named = {"delivery_id": f"dlv_{number}", "token": f"dlv_{number}.1"}
        self.waiting.append(ready(WANTED.model_copy(update=named), SETTINGS))

    async def fire(self, which: int, *, keep: bool = False, redelivered: bool = False) -> None:
        """A record comes out of the log; `keep`: it will come again, marked or redelivered."""
        if not self.waiting:
            return
        place = which % len(self.waiting)
        record = self.waiting[place] if keep else self.waiting.pop(place)
        if keep:
            self.waiting[place] = replace(record, headers=(*record.headers, (REPEATED, b"1")))
        await self._handle(record, redelivered=redelivered)

    async def die_while_telling(self, which: int, survive: int) -> None:
        """The process dies before all that it tells is acknowledged: what survives is on the log
        (a bit each), and the record comes again, to another process."""
        before = (len(self.waiting), len(self.unprojected))
        await self.fire(which, keep=True)
        for records, length in zip((self.waiting, self.unprojected), before, strict=True):
            new, survive = records[length:], survive >> 1
            records[length:] = [one for one in new if survive & 1]
        self.restart()

    async def _handle(self, record: Record, *, redelivered: bool = False) -> None:
        self._handling = decode(DELIVERY_WANTED, record.value)
        if CANCEL in dict(record.headers):
            self.canceled_here.add(self._handling.delivery_id)
        headers = dict(record.headers)
        await self.house.handle(self._handling, redelivered=redelivered, headers=headers)
        self._sort()

    def _sort(self) -> None:
        """What was published goes to the projection, or comes back through a delay."""
        new = self.house.log.records[self._read :]
        self._read += len(new)
        for record in new:
            attempts = record.topic == "webhooks.attempts"
            (self.unprojected if attempts else self.waiting).append(record)

    async def retry(self, number: int) -> None:
        """A person asks for an attempt now."""
        self.nonce += 1
        token = manual_token(f"dlv_{number}", str(self.nonce))
        named = {"delivery_id": f"dlv_{number}", "token": token, "manual": True}
        self.waiting.append(ready(WANTED.model_copy(update=named), SETTINGS))

    async def cancel(self, number: int) -> None:
        """A person cancels; the command is handled at once."""
        self.nonce += 1
        wanted = WANTED.model_copy(update={"delivery_id": f"dlv_{number}"})
        await self._handle(cancel(wanted, str(self.nonce), SETTINGS))

    def switch(self, *, on: bool) -> None:
        """The merchant enables or disables the endpoint."""
        endpoint = self.house.endpoints["ep_1"]
        self.house.endpoints["ep_1"] = endpoint.model_copy(update={"enabled": on})

    def project(self, count: int) -> None:
        """The projection catches up by so many records."""
        for record in self.unprojected[:count]:
            self.table.take(record)
        del self.unprojected[:count]

    async def let_go(self) -> None:
        """A round of Release, a minute later."""
        self.house.clock.now += 60
        self.release._look_at = 0.0
        await self.release.round()
        self._sort()

    async def come_to_rest(self) -> bool:
        """Let everything that is under way end; whether it did."""
        for _ in range(300):
            self.project(len(self.unprojected))
            await self.let_go()
            if not self.waiting and not self.unprojected:
                self.house.clock.now += 600
                await self.let_go()
                if not self.waiting:
                    return True
            await self.fire(0)
            await asyncio.sleep(0)
        return False


def world(*, fifo: bool = False, blocks: bool = False) -> World:
    return World(ENDPOINT.model_copy(update={"fifo": fifo, "fifo_blocks": blocks}))
