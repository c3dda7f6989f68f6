"""Lanes: how many attempts may be under way to one endpoint, so that none takes all the places."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from headgate.agents.lane import Lane, LaneRules
from headgate.streams.settings import Settings
from headgate.tables.configuration import Endpoint
from headgate.tables.deliveries import Reach

Refusal = Literal["open", "soon", "crowded", "fifo"]
"""Why there is no place: the breaker is open; it is full for a moment; it is full for longer;
another delivery comes first."""


SEEN_WITHIN_S = 15.0
"""What was told to be held is seen in PostgreSQL within this time, or found by the next look at
all of it."""


@dataclass(frozen=True, slots=True)
class Place:
    """The right to make one attempt; `Lanes.leave` gives it back."""

    lane: Lane
    began: float
    how: Literal["usual", "probe", "asked"]
    """A probe of an open breaker, or an attempt that a person asked for in spite of it."""


class Lanes:
    """Gives out places (04 §9.6). A lane has its own few under way and, with what waits, at most
    half of what the others leave of all: however many endpoints hang, there is room for the next.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._rules = LaneRules.of(settings)
        self._total_max = settings.webhook_in_flight_max
        self._clock = clock
        self._lanes: dict[str, Lane] = {}
        self._taken = 0
        """Places taken by all lanes."""
        self.backlogs: dict[str, Lane] = {}
        """The lanes that have something held, by endpoint."""

    def __iter__(self) -> Iterator[Lane]:
        """Every lane that is remembered."""
        return iter(self._lanes.values())

    def of(self, endpoint_id: str) -> Lane:
        """The endpoint's lane."""
        lane = self._lanes.get(endpoint_id)
        if lane is None:
            lane = self._lanes[endpoint_id] = Lane(self._rules)
        return lane

    async def enter(
        self,
        endpoint: Endpoint,
        delivery_id: str,
        *,
        asked: bool = False,
        released: bool = False,
    ) -> Place | Refusal:
        """A place, after waiting for it at most as long as the setting says, or why there is none.

        What a person asked for goes in spite of an open breaker, and tells it nothing if it fails.
        While something is held, only what was `released` may wait: newcomers would overtake it.
        """
        lane, now = self.of(endpoint.id), self._clock()
        lane.used_at = now
        lane.configure(endpoint)
        if released and lane.on_its_way:
            lane.on_its_way -= 1
        if not endpoint.fifo:
            return await self._enter(lane, now, asked=asked, may_wait=released or not lane.backlog)
        if not await lane.run.turn(delivery_id, self._rules.wait_s):
            return "fifo"
        place = await self._enter(lane, self._clock(), asked=asked, may_wait=True)
        if not isinstance(place, Place):
            lane.run.clear()
        return place

    async def _enter(
        self, lane: Lane, now: float, *, asked: bool, may_wait: bool
    ) -> Place | Refusal:
        admission = lane.breaker.admits(now)
        if admission != "go":
            return self._past_the_breaker(lane, now, probe=admission == "probe", asked=asked)
        if self._share_is_taken(lane):
            return "crowded"
        if not lane.waiting and lane.has_place(now):
            return self._take(lane, now, "usual")
        if not may_wait:
            return "crowded"
        if len(lane.waiting) < self._rules.queue_max and await self._wait(lane, now):
            return Place(lane, self._clock(), "usual")
        return self._refusal(lane)

    def leave(self, place: Place, result: Reach, *, slow_down: bool = False) -> None:
        """Give the place back, to the next who waits, with what the attempt tells of its endpoint;
        `slow_down` when the receiver asked for that."""
        lane, now = place.lane, self._clock()
        lane.in_flight -= 1
        self._taken -= 1
        self._tell_breaker(place, result, now)
        if result != "unknown":
            lane.ended(now, now - place.began)
        if slow_down:
            lane.slow_down(now)
        elif result == "reached":
            lane.bucket.got_through(now)
        if lane.breaker.open:
            self._send_away(lane)
        elif lane.waiting:
            self._admit(lane)

    def held(self, endpoint_id: str, *, open_before: bool = False) -> None:
        """Something of this lane is held. `open_before`: an earlier owner's breaker was open, so
        this one begins with a probe instead of with failures of its own."""
        lane, now = self.of(endpoint_id), self._clock()
        if open_before and lane.backlog_at is None:
            lane.breaker.reopen(now)
        lane.backlog_at = now
        self.backlogs[endpoint_id] = lane

    def passed(self, endpoint_id: str, delivery_id: str) -> None:
        """A delivery is over: where the order matters, the next one follows."""
        lane = self._lanes.get(endpoint_id)
        if lane is not None and lane.fifo:
            lane.run.passed(delivery_id)

    def released(self, endpoint_id: str, count: int) -> None:
        """So many held deliveries of this lane are on their way."""
        lane = self.of(endpoint_id)
        lane.on_its_way += count
        lane.released_at = self._clock()

    def nothing_held(self, endpoint_id: str) -> None:
        """Nothing of this lane was found to be held; what was told lately may not be seen yet."""
        if not self.held_lately(endpoint_id):
            self.of(endpoint_id).backlog_at = None
            self.backlogs.pop(endpoint_id, None)

    def held_lately(self, endpoint_id: str) -> bool:
        """Whether something was held so lately that it may not be seen yet."""
        held_at = self.of(endpoint_id).backlog_at
        return held_at is not None and self._clock() - held_at <= SEEN_WITHIN_S

    def room(self, endpoint: Endpoint) -> int:
        """How many held deliveries of this endpoint may be released now."""
        lane = self.of(endpoint.id)
        lane.configure(endpoint)
        return lane.room(self._clock())

    def sweep(self, unused_s: float) -> None:
        """Forget the lanes that are at rest and were not used for so long."""
        before = self._clock() - unused_s
        idle = [key for key, lane in self._lanes.items() if lane.at_rest and lane.used_at < before]
        for endpoint_id in idle:
            del self._lanes[endpoint_id]

    def _past_the_breaker(
        self, lane: Lane, now: float, *, probe: bool, asked: bool
    ) -> Place | Refusal:
        if probe:
            lane.breaker.begin_probe()
            return self._take(lane, now, "probe")
        if asked and lane.in_flight < lane.limit:
            return self._take(lane, now, "asked")
        return "open"

    def _take(self, lane: Lane, now: float, how: Literal["usual", "probe", "asked"]) -> Place:
        lane.in_flight += 1
        self._taken += 1
        return Place(lane, now, how)

    def _share_is_taken(self, lane: Lane) -> bool:
        others = self._taken - lane.taken
        return lane.taken >= max(1, (self._total_max - others) // 2)

    def _refusal(self, lane: Lane) -> Refusal:
        now = self._clock()
        if lane.breaker.open:
            return "open"
        if not lane.clears_soon(now):
            return "crowded"
        lane.circling += 1
        return "soon"

    def _tell_breaker(self, place: Place, result: Reach, now: float) -> None:
        breaker, past_it = place.lane.breaker, place.how != "usual"
        if result == "reached":
            breaker.succeeded(now, probe=past_it)
        elif result == "failed" and place.how != "asked":
            breaker.failed(now, probe=past_it)
        elif place.how == "probe":
            breaker.abandoned()

    def _admit(self, lane: Lane) -> None:
        """Let those in who wait, as many as there are places and tokens."""
        now = self._clock()
        while lane.waiting and (lane.waiting[0].done() or lane.has_place(now)):
            waiter = lane.waiting.popleft()
            if waiter.done():  # cancelled in this very turn
                self._taken -= 1
            else:
                lane.in_flight += 1
                waiter.set_result(True)
        if lane.waiting and lane.in_flight < lane.limit:
            # Only tokens are missing, and nobody who leaves would bring one.
            asyncio.get_running_loop().call_later(lane.bucket.wait_s(now), self._admit, lane)

    def _send_away(self, lane: Lane) -> None:
        self._taken -= len(lane.waiting)
        while lane.waiting:
            waiter = lane.waiting.popleft()
            if not waiter.done():
                waiter.set_result(False)

    async def _wait(self, lane: Lane, now: float) -> bool:
        """Wait for a place. Whoever grants it has counted it already."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        lane.waiting.append(future)
        self._taken += 1
        limit = loop.call_later(self._rules.wait_s, self._give_up, lane, future)
        if len(lane.waiting) == 1 and lane.in_flight < lane.limit:
            loop.call_later(lane.bucket.wait_s(now), self._admit, lane)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.result():
                lane.in_flight -= 1
                self._taken -= 1
                self._admit(lane)
            else:
                self._give_up(lane, future)
            raise
        finally:
            limit.cancel()

    def _give_up(self, lane: Lane, future: asyncio.Future[bool]) -> None:
        if future in lane.waiting:
            lane.waiting.remove(future)
            self._taken -= 1
            if not future.done():
                future.set_result(False)
