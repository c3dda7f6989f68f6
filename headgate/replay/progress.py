"""Progress: what a run shows while it runs, and keeps of every moment for its report."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TextIO

from headgate.replay.standing import LOOK_SHARE, Standing, standing, whose
from headgate.replay.tally import Run, Tally
from headgate.streams.errors import HeadgateError
from headgate.tables.postgres import Postgres

TICK_S = 0.5
"""How often the line is drawn, and a point taken."""
SPAN_S_MIN = 0.9 * TICK_S
"""The shortest time that a point stands for."""
PLAIN_EVERY_S = 5.0
"""How often a log file, which cannot be overwritten like a terminal, hears of it."""
WATCH_EVERY_S = 1.0
"""How often the stores are asked how far they are, while the run sends."""
POINTS_MAX = 600
"""Points that are kept; when there are more, each two become one."""
BAR_WIDTH = 20
ERROR_FROM = 500


@dataclass(frozen=True, slots=True)
class Point:
    """What happened between the point before and `at_s`."""

    at_s: float
    """Seconds since the run began."""
    span_s: float
    sent: int
    answered: int
    errors: int
    """Tries that got no answer or a 5xx, repeated or not."""
    p50_us: int = 0
    p99_us: int = 0
    max_us: int = 0
    behind_s: float = 0.0
    deciding: int = 0
    """What was accepted and not decided, at the end of it."""
    undelivered: int = 0
    """Webhooks that were still to arrive, at the end of it."""

    def __add__(self, later: Point) -> Point:
        """Both as one. Of two halves the worse latency stands, so that no peak is lost."""
        return Point(
            later.at_s,
            self.span_s + later.span_s,
            self.sent + later.sent,
            self.answered + later.answered,
            self.errors + later.errors,
            max(self.p50_us, later.p50_us),
            max(self.p99_us, later.p99_us),
            max(self.max_us, later.max_us),
            max(self.behind_s, later.behind_s),
            later.deciding,
            later.undelivered,
        )


class Series:
    """A run from moment to moment, in bounded memory."""

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._pending: Point | None = None
        self._span_s = SPAN_S_MIN
        """Points that are shorter are gathered first."""

    @property
    def points(self) -> Sequence[Point]:
        """Oldest first. What is left at the end is part of the last one: a rate over a few
        milliseconds would be a peak that never was."""
        if self._pending is None:
            return list(self._points)
        if not self._points:
            return [self._pending]
        return [*self._points[:-1], self._points[-1] + self._pending]

    def add(self, point: Point) -> None:
        """Another moment has passed."""
        self._pending = point if self._pending is None else self._pending + point
        if self._pending.span_s < self._span_s:
            return
        self._points.append(self._pending)
        self._pending = None
        if len(self._points) >= POINTS_MAX:
            pairs = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [first + second for first, second in pairs]
            self._span_s = self._points[-1].span_s


def errors_of(tally: Tally) -> int:
    """Tries that got no answer or a 5xx."""
    counts = tally.answered + tally.repeated
    return sum(n for status, n in counts.items() if not 0 < status < ERROR_FROM)


def line(run: Run, last: Point | None, stands: Standing | None, *, settling: bool) -> str:
    """A run in one line."""
    tally = run.tally
    words = [_settling(tally, stands) if settling else _sending(run, last)]
    if stands is not None and not settling:
        words.append(f"to decide {_undecided(tally, stands):,}")
        if stands.deliveries:
            words.append(f"webhooks to come {stands.undelivered:,}")
    if wrong := errors_of(tally):
        words.append(f"errors {wrong:,}")
    return "  ".join(words)


def _sending(run: Run, last: Point | None) -> str:
    tally = run.tally
    words = [f"replay {run.run_id}"]
    if tally.planned:
        gone = tally.done + tally.skipped.total()
        share = min(1.0, gone / tally.planned)
        full = round(share * BAR_WIDTH)
        words.append(f"[{'█' * full}{'░' * (BAR_WIDTH - full)}] {share:.0%}".replace("%", " %"))
        words.append(f"{gone:,}/{tally.planned:,}")
    else:
        words.append(f"{tally.done:,} answered")
    if last is not None and last.span_s:
        words.append(f"{last.answered / last.span_s:,.0f}/s")
        words.append(f"p99 {last.p99_us / 1000:,.1f} ms")
    words.append(f"behind {tally.behind_s:.1f} s")
    return "  ".join(words)


def _settling(tally: Tally, stands: Standing | None) -> str:
    if stands is None:
        return "settling: the stores have not told yet"
    accepted = max(len(tally.accepted), stands.stored)
    settled = max(0, accepted - _undecided(tally, stands))
    words = [f"settling  {settled:,}/{accepted:,} settled"]
    if stands.deliveries:
        facts = stands.delivered + stands.undelivered
        words.append(f"webhooks {stands.delivered:,}/{facts:,}")
    if stands.in_doubt:
        words.append(f"in doubt {stands.in_doubt:,}")
    return "  ".join(words)


def _undecided(tally: Tally, stands: Standing) -> int:
    """What was accepted and is not decided: without a row yet, or with one that is open."""
    return max(0, len(tally.accepted) - stands.stored) + stands.deciding


class Progress:
    """Draws a run on a terminal, or tells it in plain lines, and keeps its series. Use it around
    all of a run: the sending, and the verdict, which tells it `settling`."""

    def __init__(
        self, run: Run, postgres: Postgres | None = None, out: TextIO = sys.stderr
    ) -> None:
        self.series = Series()
        self._run = run
        self._postgres = postgres
        self._out = out
        self._redraws = out.isatty()
        self._tasks: list[asyncio.Task[None]] = []
        self._stands: Standing | None = None
        self._is_settling = False
        self._before = (0, 0, 0)
        self._began_at = self._ticked_at = time.monotonic()
        self._said_at = self._began_at

    async def __aenter__(self) -> Self:
        self._began_at = self._ticked_at = self._said_at = time.monotonic()
        self._before = self._counts()  # What earlier sittings did is no part of this one's series.
        self._run.tally.recent.reset()
        self._tasks = [asyncio.create_task(self._tick())]
        if self._postgres is not None and self._run.sandbox is not None:
            self._tasks.append(asyncio.create_task(self._watch(self._postgres)))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._take()
        self._print("\r\x1b[K" if self._redraws else f"{self._line()}\n")

    def settling(self, stands: Standing) -> None:
        """Everything is sent; this is how the stores stand now."""
        self._is_settling = True
        self._stands = stands

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._print(f"\r\x1b[K{text}\n" if self._redraws else f"{text}\n")

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._take()
            if self._redraws:
                columns = shutil.get_terminal_size().columns - 1
                self._print(f"\r\x1b[K{self._line()[:columns]}")
            elif time.monotonic() - self._said_at >= PLAIN_EVERY_S:
                self._said_at = time.monotonic()
                self._print(f"{self._line()}\n")

    async def _watch(self, postgres: Postgres) -> None:
        """Ask the stores, until the verdict does."""
        assert self._run.sandbox is not None  # noqa: S101  the caller has looked
        while not self._is_settling:
            began_at = time.monotonic()
            with contextlib.suppress(HeadgateError):
                of = await whose(postgres, self._run.sandbox, self._run.tally.began_at)
                self._stands = await standing(postgres, of)
            took_s = time.monotonic() - began_at
            await asyncio.sleep(max(WATCH_EVERY_S, LOOK_SHARE * took_s))

    def _take(self) -> None:
        """A point of what has happened since the last one."""
        now, tally, stands = time.monotonic(), self._run.tally, self._stands
        counts = self._counts()
        sent, answered, errors = (new - old for new, old in zip(counts, self._before, strict=True))
        recent = tally.recent
        p50, p99, most = 0, 0, 0
        if recent.get_total_count():
            found = recent.get_percentile_to_value_dict([50.0, 99.0, 100.0])
            p50, p99, most = (int(found[each]) for each in (50.0, 99.0, 100.0))
            recent.reset()
        self.series.add(
            Point(
                now - self._began_at, now - self._ticked_at, sent, answered, errors, p50, p99, most,
                tally.behind_s, _undecided(tally, stands) if stands else 0,
                stands.undelivered if stands and stands.deliveries else 0,
            )
        )  # fmt: skip
        self._before, self._ticked_at = counts, now

    def _counts(self) -> tuple[int, int, int]:
        tally = self._run.tally
        return tally.sent, tally.done, errors_of(tally)

    def _line(self) -> str:
        points = self.series.points
        last = points[-1] if points else None
        return line(self._run, last, self._stands, settling=self._is_settling)

    def _print(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # Nobody listens any more; the run goes on.
            self._out.write(text)
            self._out.flush()
