"""The breaker of a lane: when nothing gets through to an endpoint, single probes find out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from headgate.streams.settings import Settings

Admission = Literal["go", "probe", "shut"]

_SLOTS = 6
"""Parts of the window; what is older than the window leaves it a part at a time."""


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When a breaker opens, and how long it waits before it probes. Times in seconds."""

    failures_max: int
    share_percent: int
    attempts_min: int
    window_s: int
    wait_s: int
    wait_max_s: int

    @classmethod
    def of(cls, settings: Settings) -> BreakerRules:
        """The rules that the settings describe."""
        return cls(
            failures_max=settings.webhook_breaker_failures_max,
            share_percent=settings.webhook_breaker_share_percent,
            attempts_min=settings.webhook_breaker_attempts_min,
            window_s=settings.webhook_breaker_window_s,
            wait_s=settings.webhook_probe_wait_s,
            wait_max_s=settings.webhook_probe_wait_max_s,
        )


class Breaker:
    """Closed until enough attempts failed (04 §9.6): so many in a row, or such a share of those
    within the window. Then open: nothing may go but, after a wait, one probe. A probe that gets
    through closes it; one that fails doubles the wait.

    It knows no clock: `now` is any time in seconds that never goes back.
    """

    __slots__ = (
        "_failed",
        "_in_a_row",
        "_made",
        "_probing",
        "_rules",
        "_slot",
        "_wait_s",
        "probe_at",
    )

    def __init__(self, rules: BreakerRules) -> None:
        self._rules = rules
        self._in_a_row = 0
        self._made = [0] * _SLOTS
        self._failed = [0] * _SLOTS
        self._slot = 0
        self._wait_s = float(rules.wait_s)
        self._probing = False
        self.probe_at: float | None = None
        """When the next probe may go; None while the breaker is closed."""

    @property
    def open(self) -> bool:
        """Whether nothing but probes may go."""
        return self.probe_at is not None

    @property
    def at_rest(self) -> bool:
        """Whether forgetting it would change nothing that matters."""
        return self.probe_at is None and not self._in_a_row

    @property
    def failing(self) -> bool:
        """Whether more than one attempt in a row has failed, or nothing but probes may go."""
        return self._in_a_row > 1 or self.probe_at is not None

    def admits(self, now: float) -> Admission:
        """What may be done now. Asking takes nothing: a probe begins with `begin_probe`."""
        if self.probe_at is None:
            return "go"
        return "probe" if now >= self.probe_at and not self._probing else "shut"

    def begin_probe(self) -> None:
        """The one probe is under way; `succeeded`, `failed` or `abandoned` must follow."""
        self._probing = True

    def abandoned(self) -> None:
        """The probe told nothing of the endpoint; another may go at once."""
        self._probing = False

    def succeeded(self, now: float, *, probe: bool) -> None:
        """An attempt got through to the receiver. What was begun before the breaker opened does
        not close it: an endpoint of which every second attempt fails would never be left alone."""
        self._in_a_row = 0
        if probe:
            self._close()
        else:
            self._made[self._place(now)] += 1

    def failed(self, now: float, *, probe: bool) -> None:
        """No connection, no answer in time, or the receiver's own fault."""
        if probe:
            self._probing = False
            self._wait_s = min(self._wait_s * 2, self._rules.wait_max_s)
            self.probe_at = now + self._wait_s
            return
        place = self._place(now)
        self._made[place] += 1
        self._failed[place] += 1
        self._in_a_row += 1
        if self.probe_at is None and self._too_many():
            self._wait_s = float(self._rules.wait_s)
            self.probe_at = now + self._wait_s

    def reopen(self, now: float) -> None:
        """Be open, with the probe due: an earlier owner of the lane left it open."""
        if self.probe_at is None:
            self.probe_at = now

    def _too_many(self) -> bool:
        rules, made = self._rules, sum(self._made)
        share = made >= rules.attempts_min and sum(self._failed) * 100 >= made * rules.share_percent
        return self._in_a_row >= rules.failures_max or share

    def _close(self) -> None:
        self.probe_at, self._probing = None, False
        self._wait_s = float(self._rules.wait_s)
        self._made, self._failed = [0] * _SLOTS, [0] * _SLOTS

    def _place(self, now: float) -> int:
        """The part of the window that `now` is in; those that have passed are emptied."""
        slot = int(now * _SLOTS / self._rules.window_s)
        for passed in range(self._slot + 1, min(slot, self._slot + _SLOTS) + 1):
            place = passed % _SLOTS
            self._made[place] = self._failed[place] = 0
        self._slot = max(self._slot, slot)
        return self._slot % _SLOTS
