"""What a run shows while it runs: one line, redrawn on a terminal; and what it keeps."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace

import pytest

from headgate.replay import progress
from headgate.replay.progress import POINTS_MAX, Point, Progress, Series, line
from headgate.replay.standing import Standing
from headgate.replay.tally import Tally
from tests.unit.replay_runs import a_run


def a_point(at_s: float, answered: int = 400, p99_us: int = 41_000) -> Point:
    return Point(at_s, 0.5, answered, answered, 0, 1000, p99_us, 2 * p99_us)


HALF = Tally(planned=10_000, sent=4700)
HALF.answered.update({201: 4590, 503: 10})
HALF.accepted.update(f"pay_{number}" for number in range(4000))
HALF.behind_s = 0.24


def test_a_run_under_way_is_one_line() -> None:
    stands = Standing({"captured": 3600, "processing": 90}, 9000, {}, {"success": 8000})
    told = line(a_run(HALF), a_point(3.0), stands, settling=False)
    assert told == (
        "replay r7  [█████████░░░░░░░░░░░] 46 %  4,600/10,000  800/s  p99 41.0 ms  behind 0.2 s"
        "  to decide 400  webhooks to come 1,000  errors 10"
    )


def test_where_nobody_knows_how_much_it_is_there_is_no_bar() -> None:
    told = line(a_run(replace(HALF, planned=None)), None, None, settling=False)
    assert told == "replay r7  4,600 answered  behind 0.2 s  errors 10"


def test_while_it_settles_the_line_counts_what_is_settled_and_delivered() -> None:
    stands = Standing({"captured": 3990, "in_doubt": 10}, 9000, {}, {"success": 8000})
    told = line(a_run(HALF), None, stands, settling=True)
    assert told == ("settling  4,000/4,000 settled  webhooks 8,000/9,000  in doubt 10  errors 10")
    assert "have not told yet" in line(a_run(Tally()), None, None, settling=True)


def test_a_long_run_is_remembered_in_bounded_memory_and_loses_no_peak() -> None:
    series = Series()
    for number in range(10 * POINTS_MAX):
        series.add(a_point((number + 1) / 2, 1, 5_000_000 if number == 777 else 1000))
    points = series.points
    assert len(points) <= POINTS_MAX
    assert sum(point.answered for point in points) == 10 * POINTS_MAX
    assert max(point.p99_us for point in points) == 5_000_000
    assert points[-1].at_s == 5 * POINTS_MAX
    assert [p.at_s for p in points] == sorted(p.at_s for p in points)


def test_the_last_moment_of_a_run_is_no_peak() -> None:
    series = Series()
    series.add(a_point(0.5))
    series.add(replace(a_point(0.501, 5), span_s=0.001))
    [last] = series.points
    assert (last.at_s, last.answered, last.span_s) == (0.501, 405, 0.501)


class Paper(io.StringIO):
    """A log file that can be waited for."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__()
        self._terminal = terminal
        self._written = asyncio.Event()

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        self._written.set()
        return super().write(text)

    async def until(self, text: str, times: int = 1) -> None:
        """Wait until this was written so often."""
        while self.getvalue().count(text) < times:
            self._written.clear()
            await self._written.wait()


class Gone(io.StringIO):
    """A terminal that was closed."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


async def test_a_terminal_sees_one_line_redrawn_and_none_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "TICK_S", 0.001)
    out, tally = Paper(terminal=True), Tally(planned=10)
    async with Progress(a_run(tally), out=out) as shown:
        tally.answered[201] += 5
        tally.took(1500)
        await out.until("50 %")
        shown.say("the edge is away")
        shown.settling(Standing({"captured": 1}))
        await out.until("settling")
    assert "\n" not in out.getvalue().replace("the edge is away\n", "")
    assert out.getvalue().endswith("\r\x1b[K")
    points = shown.series.points
    assert sum(point.answered for point in points) == 5
    assert max(point.p99_us for point in points) == pytest.approx(1500, rel=0.01)


async def test_a_resumed_run_is_shown_from_where_it_goes_on() -> None:
    """Its first point would else hold all earlier sittings, and every other be flat beside it."""
    tally = Tally(planned=9000, sent=8000)
    tally.answered.update({201: 8000})
    tally.repeated.update({503: 30})
    tally.took(5_000_000)
    async with Progress(a_run(tally), out=Paper()) as shown:
        tally.sent += 2
        tally.answered[201] += 2
        tally.took(1500)
    [point] = shown.series.points
    assert (point.sent, point.answered, point.errors) == (2, 2, 0)
    assert point.max_us == pytest.approx(1500, rel=0.01)


async def test_a_log_file_gets_whole_lines_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "TICK_S", 0.001)
    monkeypatch.setattr(progress, "PLAIN_EVERY_S", 0.001)
    out = Paper()
    async with Progress(a_run(Tally(planned=10)), out=out):
        await out.until("\n", times=2)
    assert "\r" not in out.getvalue()
    assert all(each.startswith("replay r7") for each in out.getvalue().splitlines())


async def test_a_run_goes_on_when_nobody_looks_any_more() -> None:
    async with Progress(a_run(Tally()), out=Gone()) as shown:
        shown.say("nobody hears this")
    assert len(shown.series.points) == 1
