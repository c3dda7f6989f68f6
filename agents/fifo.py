"""One after the other: whose turn it is at an endpoint that wants its deliveries in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence


class Run:
    """Deliveries that were released together, in order; only the first may be attempted (08 R32).

    It holds no truth: what is not in the run is held again and stands in PostgreSQL in its place.
    So a process that dies loses no order, and a new owner begins with an empty run.
    """

    __slots__ = ("_order", "_turns")

    def __init__(self) -> None:
        self._order: deque[str] = deque()
        self._turns: dict[str, asyncio.Future[bool]] = {}

    @property
    def head(self) -> str | None:
        """The delivery whose turn it is."""
        return self._order[0] if self._order else None

    def begin(self, delivery_ids: Sequence[str]) -> None:
        """These are on their way, in this order. The run before must be over."""
        self._order.extend(delivery_ids)

    async def turn(self, delivery_id: str, within_s: float) -> bool:
        """Whether it is this one's turn, now or within the limit."""
        if self.head == delivery_id:
            return True
        if delivery_id not in self._order or delivery_id in self._turns:
            return False
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._turns[delivery_id] = turn
        limit = loop.call_later(within_s, self.stop_at, delivery_id)
        try:
            return await turn
        finally:
            limit.cancel()
            self._turns.pop(delivery_id, None)

    def passed(self, delivery_id: str) -> None:
        """The delivery is over; if it was the first, the next one follows."""
        if self.head == delivery_id:
            self._order.popleft()
            if self._order:
                self._grant(self._order[0], granted=True)
        elif delivery_id in self._order:
            self._order.remove(delivery_id)

    def stop(self) -> None:
        """The first one is to be tried again; those behind it are held meanwhile."""
        if len(self._order) > 1:
            self.stop_at(self._order[1])

    def stop_at(self, delivery_id: str) -> None:
        """This one and those behind it have no turn in this run."""
        if delivery_id in self._order:
            place = self._order.index(delivery_id)
            while len(self._order) > place:
                self._grant(self._order.pop(), granted=False)

    def clear(self) -> None:
        """The run is over: all of it is held again."""
        if self._order:
            self.stop_at(self._order[0])

    def _grant(self, delivery_id: str, *, granted: bool) -> None:
        turn = self._turns.get(delivery_id)
        if turn is not None and not turn.done():
            turn.set_result(granted)
