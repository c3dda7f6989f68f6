"""Release: what lanes hold goes back to `webhooks.ready` when there is room for it, in order."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import structlog

from headgate.agents.lanes import Lanes
from headgate.streams import ids
from headgate.streams.bus import Bus, Record
from headgate.streams.clock import now_ms
from headgate.streams.crashpoints import reach
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables import deliveries, notices
from headgate.tables.configuration import Endpoint
from headgate.tables.held_store import Held, HeldStore, Room
from headgate.tables.postgres import RowRefused
from headgate.tables.schedules import waits_of, window_ms

log = structlog.get_logger(__name__)

UNUSED_S = 120.0
"""Lanes at rest that were not used for so long are forgotten."""


@dataclass(frozen=True, slots=True)
class Owned:
    """What this process may release, asked anew each time."""

    partitions: Callable[[], Collection[int]]
    """Of `webhooks.ready`, those that are its own."""
    endpoint: Callable[[str], Endpoint | None]
    """An endpoint by its id, as far as it is known here."""
    readable: Callable[[Endpoint], bool]
    """Whether its secrets can be opened here."""


class Release:
    """The task beside `Deliver` that lets go what its lanes hold (04 §9.6, 08 R29, R31, R32).

    It reads PostgreSQL for lanes of its own partitions that have room, publishes, then marks. A
    crash in between publishes again: a repeat, which is looked up. With PostgreSQL away what is
    held stays held.
    """

    def __init__(
        self,
        settings: Settings,
        store: HeldStore,
        bus: Bus,
        lanes: Lanes,
        owned: Owned,
    ) -> None:
        self._settings = settings
        self._store = store
        self._bus = bus
        self._lanes = lanes
        self._owned = owned
        self._seen: frozenset[int] = frozenset()
        self._look_at = 0.0
        self.released = 0
        """Held deliveries that were released."""

    async def run(self) -> None:
        """Work for ever, a round every few moments."""
        while True:
            try:
                await self.round()
            except (StoreUnavailable, RowRefused) as error:
                log.warning("what is held waits", reason=str(error))
                await asyncio.sleep(self._settings.retry_backoff_max_ms / 1000)
            await asyncio.sleep(self._settings.webhook_release_interval_ms / 1000)

    async def round(self) -> None:
        """Look at everything that is held, now and then, and release what there is room for."""
        mine = frozenset(self._owned.partitions())
        if mine != self._seen or time.monotonic() >= self._look_at:
            await self._look(mine)
        rooms = self._rooms()
        if rooms:
            held = await self._store.of_lanes(rooms)
            await self._let_go(rooms, held)

    async def _look(self, mine: frozenset[int]) -> None:
        """Find the lanes that have something held, and what has been held for too long."""
        for lane in await self._store.lanes(sorted(mine)):
            self._lanes.held(lane.endpoint_id, open_before=lane.open)
        await self._expire(mine)
        self._lanes.sweep(UNUSED_S)
        self._seen = mine
        self._look_at = time.monotonic() + self._settings.webhook_held_look_s

    def _rooms(self) -> list[Room]:
        rooms = []
        for endpoint_id in list(self._lanes.backlogs):
            endpoint = self._owned.endpoint(endpoint_id)
            partition = ids.partition_of(endpoint_id, self._settings.partitions)
            if endpoint is None or partition not in self._seen:
                continue
            if most := self._most(endpoint):
                parked_stay = not endpoint.enabled and not endpoint.deleted
                rooms.append(Room(partition, endpoint_id, most, endpoint.fifo, parked_stay))
        return rooms

    def _most(self, endpoint: Endpoint) -> int:
        """How many may go. Those of an endpoint that was deleted or disabled all may: on their way
        they are canceled, or parked; once that is done, it is not asked about at every round."""
        if endpoint.deleted or (not endpoint.enabled and self._lanes.held_lately(endpoint.id)):
            return self._settings.batch_max
        if not endpoint.enabled or not self._owned.readable(endpoint):
            return 0
        # Where the order matters, a look shows also whether the run under way is over.
        under_way = endpoint.fifo and self._lanes.of(endpoint.id).run.head is not None
        return max(self._lanes.room(endpoint), int(under_way))

    async def _let_go(self, rooms: Sequence[Room], held: Sequence[Held]) -> None:
        found = {
            endpoint_id: list(group)
            for endpoint_id, group in itertools.groupby(
                sorted(held, key=lambda one: one.wanted.endpoint_id),
                key=lambda one: one.wanted.endpoint_id,
            )
        }
        going: list[Held] = []
        for room in rooms:
            mine, endpoint = found.get(room.endpoint_id, []), self._owned.endpoint(room.endpoint_id)
            if endpoint is None or not mine:
                if not room.parked_stay:
                    self._lanes.nothing_held(room.endpoint_id)
                continue
            if room.fifo and endpoint.enabled:
                mine = await self._in_turn(endpoint, mine)
            else:
                mine = [one for one in mine if not one.on_its_way]
            self._lanes.released(room.endpoint_id, len(mine))
            going += mine
        await self._publish(going)

    async def _in_turn(self, endpoint: Endpoint, held: Sequence[Held]) -> list[Held]:
        """Those that may go to an endpoint that wants one after the other: a new run, when the one
        before is over, of all at the front of which none is on its way."""
        run = self._lanes.of(endpoint.id).run
        first = held[0]
        if first.why == "exhausted" and not endpoint.fifo_blocks:
            await self._store.passed([first.wanted.delivery_id])
            run.passed(first.wanted.delivery_id)
            return []
        if run.head is not None and run.head != first.wanted.delivery_id:
            run.passed(run.head)  # its row is gone: it is over
            return []
        of_first = [one for one in held if one.wanted.delivery_id == first.wanted.delivery_id]
        if run.head is not None and not all(one.on_its_way for one in of_first if not one.chain):
            run.clear()  # held again
        if run.head is None and self._lanes.room(endpoint):
            front = list(itertools.takewhile(lambda one: not one.on_its_way, held))
            if front:
                run.begin(list(dict.fromkeys(one.wanted.delivery_id for one in front)))
                return front
        return [one for one in of_first if one.chain and not one.on_its_way]

    async def _publish(self, going: Sequence[Held]) -> None:
        if going:
            await self._bus.publish_until_acked(
                [notices.release(one.wanted, one.hold, self._settings) for one in going]
            )
            reach("release.published")
            await self._store.released(going)
            self.released += len(going)

    async def _expire(self, mine: frozenset[int]) -> None:
        """08 R29: what was held until the end of its window has failed."""
        least_ms = window_ms((), self._settings)
        async for page in self._store.older(sorted(mine), now_ms() - least_ms):
            await self._give_up({one: why for one in page if (why := self._too_old(one))})

    def _too_old(self, one: Held) -> str | None:
        """Why it has failed, None while its time is not over."""
        endpoint = self._owned.endpoint(one.wanted.endpoint_id)
        waits = waits_of(endpoint, self._settings) if endpoint else ()
        window = window_ms(waits, self._settings)
        if one.since_ms + window > now_ms():
            return None
        why = _WHY.get(one.why, one.why)
        return f"held until the end of its {window / 3_600_000:.1f} hours: {why}"

    async def _give_up(self, why: Mapping[Held, str]) -> None:
        records: list[Record] = []
        for one, reason in why.items():
            outcome, trace = deliveries.no_answer(reason), deliveries.Trace(now_ms())
            made = deliveries.attempt_made(one.wanted, outcome, trace, None)
            records.append(deliveries.made_record(made, self._settings))
        if records:
            await self._bus.publish_until_acked(records)
            await self._store.released(list(why))


_WHY = {
    "open": "the endpoint could not be reached",
    "crowded": "the endpoint takes fewer webhooks than there are",
    "fifo": "an earlier delivery was still to arrive",
    "unready": "the endpoint's secret could not be read",
}
"""Why a delivery was held, for people."""
