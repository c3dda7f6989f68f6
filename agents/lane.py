"""The lane of one endpoint: its breaker, its tokens, its places, and how fast it is."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from headgate.agents.breaker import Breaker, BreakerRules
from headgate.agents.fifo import Run
from headgate.agents.token_bucket import TokenBucket
from headgate.streams.settings import Settings
from headgate.tables.configuration import Endpoint

_LAST = 16
"""Attempts of which the slow ones are counted."""
_LAST_MASK = (1 << _LAST) - 1
_EASING = 0.2
"""The weight of the last attempt in the mean of how long they take."""
_FAST_S = 0.001
"""Shorter attempts count as this long."""


_ON_ITS_WAY_S = 10.0
"""After this long without news, what was released is not waited for any more."""


@dataclass(frozen=True, slots=True)
class LaneRules:
    """What holds for every lane."""

    in_flight_max: int
    slow_in_flight_max: int
    slow_s: float
    queue_max: int
    wait_s: float
    breaker: BreakerRules

    @classmethod
    def of(cls, settings: Settings) -> LaneRules:
        """The rules that the settings describe."""
        return cls(
            in_flight_max=settings.webhook_endpoint_in_flight_max,
            slow_in_flight_max=settings.webhook_slow_in_flight_max,
            slow_s=settings.webhook_slow_ms / 1000,
            queue_max=settings.webhook_endpoint_queue_max,
            wait_s=settings.webhook_lane_wait_ms / 1000,
            breaker=BreakerRules.of(settings),
        )


class Lane:
    """The state of one lane. It knows no clock: `now` is any time in seconds that never goes back,
    but for the seconds by which attempts are counted it should begin anywhere but at 0."""

    __slots__ = (
        "_before",
        "_endpoint",
        "_rules",
        "_second",
        "_slow",
        "_this",
        "backlog_at",
        "breaker",
        "bucket",
        "circling",
        "fifo",
        "in_flight",
        "mean_s",
        "on_its_way",
        "released_at",
        "run",
        "used_at",
        "waiting",
    )

    def __init__(self, rules: LaneRules) -> None:
        self._rules = rules
        self._endpoint: Endpoint | None = None
        self.breaker = Breaker(rules.breaker)
        self.bucket = TokenBucket()
        self.in_flight = 0
        self.waiting: deque[asyncio.Future[bool]] = deque()
        self.mean_s = _FAST_S
        """How long an attempt takes, on average."""
        self.used_at = 0.0
        self.circling = 0
        """Deliveries that were sent around for a moment during this second."""
        self.backlog_at: float | None = None
        """When it last had something held; None when it holds nothing."""
        self.on_its_way = 0
        """Deliveries that were released and have not come yet."""
        self.released_at = 0.0
        self.fifo = False
        self.run = Run()
        self._slow = 0
        """The last attempts as bits, 1 for a slow one."""
        self._second = 0
        self._this = self._before = 0
        """Attempts that ended in this second and in the one before."""

    @property
    def taken(self) -> int:
        """Places that this lane takes of the process."""
        return self.in_flight + len(self.waiting)

    @property
    def backlog(self) -> bool:
        """Whether something of it is held."""
        return self.backlog_at is not None

    @property
    def limit(self) -> int:
        """Attempts that may be under way: few while half of the last were slow, or several in a
        row have failed, so that an endpoint that hangs holds few connections; one where the order
        matters."""
        if self.fifo:
            return 1
        if self._slow.bit_count() * 2 > _LAST or self.breaker.failing:
            return min(self._rules.slow_in_flight_max, self._rules.in_flight_max)
        return self._rules.in_flight_max

    @property
    def at_rest(self) -> bool:
        """Whether forgetting the lane would change nothing."""
        if self.taken or self.backlog_at is not None or self.run.head is not None:
            return False
        return self.breaker.at_rest and self.bucket.unlimited

    def configure(self, endpoint: Endpoint) -> None:
        """Take over what the endpoint's configuration says."""
        if endpoint is self._endpoint:
            return
        self._endpoint = endpoint
        self.bucket.limit_to(endpoint.attempts_per_s)
        if self.fifo and not endpoint.fifo:
            self.run.clear()
        self.fifo = endpoint.fifo

    def has_place(self, now: float) -> bool:
        """Whether an attempt may begin; if so its token is taken."""
        return self.in_flight < self.limit and self.bucket.take(now)

    def per_s(self, now: float) -> float:
        """The attempts a second that this lane can be expected to make."""
        possible = self.limit / self.mean_s
        rate = self.bucket.rate(now)
        return possible if rate is None else min(possible, rate)

    def clears_soon(self, now: float) -> bool:
        """Whether one more delivery would find a place within about a second."""
        self._turn(now)
        return self.circling + len(self.waiting) < self.per_s(now) * self._rules.wait_s

    def room(self, now: float) -> int:
        """How many held deliveries may be released now: those that would find a place before they
        must be held again, and one to probe an open breaker with."""
        if now - self.released_at > _ON_ITS_WAY_S:
            self.on_its_way = 0  # they came to another owner, or were dropped as repeats
        admission = self.breaker.admits(now)
        if admission != "go":
            return int(admission == "probe" and not self.on_its_way)
        soon = self.limit - self.in_flight + self.per_s(now) * self._rules.wait_s
        tokens = self.bucket.within(now, self._rules.wait_s)
        most = int(soon if tokens is None else min(soon, tokens))
        return max(0, min(most, self._rules.queue_max) - len(self.waiting) - self.on_its_way)

    def ended(self, now: float, took_s: float) -> None:
        """An attempt has ended."""
        self._turn(now)
        self._this += 1
        self.mean_s = max(_FAST_S, self.mean_s + _EASING * (took_s - self.mean_s))
        self._slow = (self._slow << 1 | (took_s > self._rules.slow_s)) & _LAST_MASK

    def slow_down(self, now: float) -> None:
        """The receiver asks for less."""
        self._turn(now)
        self.bucket.halve(now, max(self._this, self._before))

    def _turn(self, now: float) -> None:
        second = int(now)
        if second != self._second:
            self._before = self._this if second == self._second + 1 else 0
            self._this = self.circling = 0
            self._second = second
