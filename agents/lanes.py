"""Lanes: how many attempts may be under way to one endpoint, so that none takes all the places."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

WAIT_S = 1.0
"""How long a delivery waits for a place in its lane before it is held up elsewhere."""
FAILURES_MAX = 5
"""After so many failures in a row a lane counts as failing."""
FAILING_IN_FLIGHT_MAX = 4
"""Attempts under way to an endpoint whose lane is failing; one success opens it again."""


@dataclass(slots=True)
class Lane:
    """The attempts to one endpoint."""

    in_flight: int = 0
    failures: int = 0
    """Attempts in a row without a success."""
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    @property
    def held(self) -> int:
        """Places that this lane takes of the process."""
        return self.in_flight + len(self.waiting)

    @property
    def failing(self) -> bool:
        """Whether nothing has got through for a while."""
        return self.failures >= FAILURES_MAX


class Lanes:
    """Gives out places. A lane has at most `endpoint_max` under way and, with what waits, at most
    half of what the others leave of `total_max`: however many endpoints hang, there is room for
    the next one."""

    def __init__(self, total_max: int, endpoint_max: int) -> None:
        self._total_max = total_max
        self._endpoint_max = endpoint_max
        self._lanes: dict[str, Lane] = {}
        self._held = 0
        """Places taken by all lanes."""

    async def enter(self, endpoint_id: str) -> bool:
        """Take a place, waiting at most `WAIT_S` for it; False when the lane is crowded. `leave`
        must follow when it is True."""
        lane = self._lanes.setdefault(endpoint_id, Lane())
        others = self._held - lane.held
        if lane.held >= max(1, (self._total_max - others) // 2):
            return False
        if lane.in_flight < self._limit(lane):
            lane.in_flight += 1
            self._held += 1
            return True
        return not lane.failing and await self._wait(endpoint_id, lane)

    def leave(self, endpoint_id: str, *, success: bool) -> None:
        """Give the place back, to the next who waits."""
        lane = self._lanes[endpoint_id]
        lane.failures = 0 if success else lane.failures + 1
        self._release(endpoint_id, lane)

    def _release(self, endpoint_id: str, lane: Lane) -> None:
        lane.in_flight -= 1
        self._held -= 1
        while lane.waiting and lane.in_flight < self._limit(lane):
            lane.in_flight += 1
            lane.waiting.popleft().set_result(None)
        if not (lane.held or lane.failures):
            del self._lanes[endpoint_id]

    async def _wait(self, endpoint_id: str, lane: Lane) -> bool:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.waiting.append(future)
        self._held += 1
        try:
            await asyncio.wait({future}, timeout=WAIT_S)
        except asyncio.CancelledError:
            if future.done():
                self._release(endpoint_id, lane)
            else:
                self._give_up(future, lane)
            raise
        if not future.done():
            self._give_up(future, lane)
        return future.done()

    def _give_up(self, future: asyncio.Future[None], lane: Lane) -> None:
        lane.waiting.remove(future)
        self._held -= 1

    def _limit(self, lane: Lane) -> int:
        return FAILING_IN_FLIGHT_MAX if lane.failing else self._endpoint_max
