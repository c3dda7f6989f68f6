"""The token bucket of a lane: attempts a second, halved by a receiver that asks for less."""

from __future__ import annotations

RATE_MIN_PER_S = 0.1
"""The slowest that a lane is made by its receiver: one attempt in ten seconds."""
HALVED_ONCE_IN_S = 1.0
"""Answers of one burst halve the rate once, not once each."""
DOUBLED_EVERY_S = 30.0
"""How long without a complaint until a halved rate is doubled again, also when nothing is sent."""
RAISED_BY = 1.1
"""What an attempt that got through multiplies a halved rate by. A receiver that complains of every
tenth attempt, whatever the rate, would otherwise end at the slowest."""
RAISED_ONCE_IN_S = 0.1
"""How often the rate is raised at most, so that a burst does not undo what was asked for."""


class TokenBucket:
    """A token per attempt, a second's worth at most in store, one at least. Without a limit it
    gives as many as are asked for.

    It knows no clock: `now` is any time in seconds that never goes back.
    """

    __slots__ = ("_ceiling", "_halved_at", "_limit", "_raised_at", "_slowed", "_tokens", "_was")

    def __init__(self) -> None:
        self._limit: float | None = None
        self._slowed: float | None = None
        """The rate since it was last halved; None while the receiver does not complain."""
        self._ceiling = 0.0
        """What the rate was before it was halved for the first time."""
        self._halved_at = 0.0
        self._raised_at = 0.0
        self._tokens = 1.0
        self._was = 0.0

    @property
    def unlimited(self) -> bool:
        """Whether every attempt may go at once."""
        return self._limit is None and self._slowed is None

    def limit_to(self, rate_per_s: float | None) -> None:
        """Take over the limit of the endpoint's configuration; None is no limit."""
        self._limit = rate_per_s

    def rate(self, now: float) -> float | None:
        """Attempts a second; None is no limit."""
        if self._slowed is None:
            return self._limit
        recovered: float = self._slowed * 2 ** ((now - self._halved_at) // DOUBLED_EVERY_S)
        if recovered >= self._ceiling:
            self._slowed = None
            return self._limit
        return recovered if self._limit is None else min(recovered, self._limit)

    def take(self, now: float) -> bool:
        """Whether there was a token; then it is gone."""
        if not self._fill(now):
            return True
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def wait_s(self, now: float) -> float:
        """How long until there is a token, 0 when there is one."""
        rate = self._fill(now)
        return max(0.0, (1 - self._tokens) / rate) if rate else 0.0

    def within(self, now: float, span_s: float) -> float | None:
        """The tokens that there are and that come within the span; None is as many as wanted."""
        rate = self._fill(now)
        return self._tokens + rate * span_s if rate else None

    def halve(self, now: float, seen_per_s: float) -> None:
        """The receiver asks for less; `seen_per_s` is what it got lately, for want of a limit."""
        if self._slowed is not None and now - self._halved_at < HALVED_ONCE_IN_S:
            return
        before = self.rate(now) or max(seen_per_s, 1.0)
        if self._slowed is None:
            self._ceiling, self._tokens, self._was = before, 0.0, now
        self._slowed = max(before / 2, RATE_MIN_PER_S)
        self._halved_at = now

    def got_through(self, now: float) -> None:
        """The receiver took an attempt: what it asked for lately is lifted a little."""
        if self._slowed is not None and now - self._raised_at >= RAISED_ONCE_IN_S:
            self._slowed = min(self._slowed * RAISED_BY, self._ceiling)
            self._raised_at = now

    def _fill(self, now: float) -> float | None:
        """The rate, after the tokens since the last time have come in."""
        rate = self.rate(now)
        if rate:
            self._tokens = min(self._tokens + (now - self._was) * rate, max(1.0, rate))
        self._was = now
        return rate
