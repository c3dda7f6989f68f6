"""The supervisor: order, readiness, restarts with backoff, exit codes, and the stop."""

from __future__ import annotations

import asyncio
import io
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from headgate.embedded import keeper, process, status, supervisor
from headgate.embedded.errors import CannotStart
from headgate.embedded.keeper import AGAIN, BACKOFF_MAX_S, BACKOFF_MIN_S, SUPERSEDED
from headgate.embedded.program import Probe, Program, Tell
from headgate.embedded.supervisor import Plan, Step, Supervisor, Together
from headgate.embedded.voice import Voice

SLEEP = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('on'); time.sleep(60)"
LIMIT_S = 10.0


class Play:
    """A supervisor of small Python programs in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heard = io.StringIO()
        self.voice = Voice(self.heard)
        self.playing: list[Supervisor] = []

    def program(
        self, role: str, code: str = SLEEP, probe: Probe | None = None, stop_wait_s: float = 5
    ) -> Program:
        """A program whose process runs the given Python code."""

        async def prepare(tell: Tell) -> Sequence[str | Path]:
            tell("starting")
            return [sys.executable, "-I", "-S", "-u", "-c", code]

        log = self.folder / f"{role}.log"
        return Program(role, role.upper(), prepare, probe, log, stop_wait_s=stop_wait_s)

    def supervise(self, *start: Together | Step, stop: Sequence[Sequence[str]] = ()) -> Supervisor:
        """A supervisor of this plan, stopped when the test ends."""
        roles = [p.role for entry in start if isinstance(entry, Together) for p in entry.programs]
        plan = Plan(start, stop or [roles], {"edge": "http://127.0.0.1:1"})
        self.playing.append(Supervisor(plan, self.folder, self.voice))
        return self.playing[-1]

    def now(self, role: str) -> status.ProcessStatus:
        """What the status file says about a role."""
        read = status.read(self.folder)
        assert read is not None
        return next(each for each in read.processes if each.role == role)


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Play]:
    here = Play(tmp_path)
    yield here
    for each in here.playing:
        await each.stop()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not true():  # noqa: ASYNC110  a file has no event
            await asyncio.sleep(0.01)


async def test_each_entry_waits_until_the_one_before_it_works(play: Play) -> None:
    done: list[str] = []
    gate = asyncio.Event()

    async def opened() -> str:
        return "" if gate.is_set() else "the gate is shut"

    starting = asyncio.create_task(
        play.supervise(
            Together([play.program("first", probe=opened)]),
            Step("Step", noted(done, "step")),
            Together([play.program("second")]),
        ).start()
    )
    await until(lambda: status.read(play.folder) is not None)
    await until(lambda: play.now("first").state == "starting")
    assert play.now("second").pid is None
    assert not done
    gate.set()
    await asyncio.wait_for(starting, LIMIT_S)
    assert done == ["step"]
    assert play.now("second").state == "running"


def noted(done: list[str], what: str) -> Callable[[], Awaitable[str]]:
    async def action() -> str:
        done.append(what)
        return what

    return action


async def test_a_killed_process_is_started_again_shown_and_counted(play: Play) -> None:
    await play.supervise(Together([play.program("a")])).start()
    first = play.now("a").pid
    assert first is not None
    process.send(first, signal.SIGKILL)
    await until(lambda: play.now("a").pid not in {None, first})
    assert play.now("a").restarts == 1
    assert "A: was ended by Killed (signal 9); starts again in 0.1 s (1)" in play.heard.getvalue()


async def test_exit_code_76_is_left_alone(play: Play) -> None:
    await play.supervise(Together([play.program("a", f"raise SystemExit({SUPERSEDED})")])).start()
    await until(lambda: play.now("a").state == "left")
    assert "a newer process has its instance id" in play.heard.getvalue()
    assert play.now("a").restarts == 0


async def test_exit_code_75_starts_again_at_once(play: Play) -> None:
    code = f"import time; time.sleep(1.1); raise SystemExit({AGAIN})"
    await play.supervise(Together([play.program("a", code)])).start()
    await until(lambda: play.now("a").restarts == 1)
    assert "ended with code 75; starts again at once" in play.heard.getvalue()


def test_the_backoff_doubles_up_to_its_limit_and_starts_over_after_a_healthy_life() -> None:
    delays, delay_s = [], 0.0
    for _ in range(9):
        delay_s = keeper._next_delay_s(delay_s, lived_s=0.1, code=1)
        delays.append(delay_s)
    assert delays[:3] == [BACKOFF_MIN_S, 2 * BACKOFF_MIN_S, 4 * BACKOFF_MIN_S]
    assert delays[-1] == BACKOFF_MAX_S
    assert keeper._next_delay_s(delay_s, keeper.HEALTHY_S, 1) == BACKOFF_MIN_S
    assert keeper._next_delay_s(delay_s, 1.0, AGAIN) == 0
    assert keeper._next_delay_s(0, 0.1, AGAIN) > 0, "a loop that never works must not spin"


async def test_what_never_works_ends_the_start_with_its_log(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "BACKOFF_MIN_S", 0.01)
    broken = play.program("a", "raise SystemExit('the disk is on fire')", probe=unwell)
    with pytest.raises(CannotStart, match="the disk is on fire"):
        await play.supervise(Together([broken])).start()


async def unwell() -> str:
    return "not yet"


async def test_a_step_is_tried_again_and_then_told(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STEP_BACKOFF_S", 0)
    tries = 0

    async def action() -> str:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise OSError("the server went away")
        return "did it"

    await play.supervise(Step("Step", action)).start()
    assert tries == 3
    tries = -99
    with pytest.raises(CannotStart, match="Step: OSError: the server went away"):
        await play.supervise(Step("Step", action)).start()


async def test_all_stop_in_order_and_the_stubborn_are_killed(play: Play) -> None:
    programs = [play.program("a"), play.program("b", STUBBORN, stop_wait_s=0.3), play.program("c")]
    running = play.supervise(Together(programs), stop=[["c"], ["b"], ["a"]])
    await running.start()
    log = play.folder / "b.log"
    await until(lambda: bool(process.last_lines(log)))
    pids = {p.role: play.now(p.role) for p in programs}
    stopping = asyncio.create_task(running.stop())
    await until(lambda: play.now("b").state == "stopping")
    assert play.now("c").state == "stopped"
    assert play.now("a").state == "running"
    await asyncio.wait_for(stopping, 3)
    assert not any(process.alive(each.pid or 0, each.born) for each in pids.values())
    assert "B: did not stop by itself, killed" in play.heard.getvalue()
    assert status.read(play.folder) is None


async def test_a_full_disk_does_not_end_the_supervision(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path, now: status.Status) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(status, "write", full)
    running = play.supervise(Together([play.program("a")]))
    await running.start()
    process.send(running._keepers["a"].pid or 0, signal.SIGKILL)
    await until(lambda: running._keepers["a"].restarts == 1)
    await until(lambda: running._keepers["a"].state == "running")
    assert "the status cannot be written" in play.heard.getvalue()


async def test_a_held_program_stays_down_until_it_is_let_go(play: Play) -> None:
    hold = play.folder / "hold"
    program = replace(play.program("a"), hold=hold)
    await play.supervise(Together([program])).start()
    hold.touch()
    process.send(play.now("a").pid or 0, signal.SIGKILL)
    await until(lambda: play.now("a").state == "waiting")
    await asyncio.sleep(2 * BACKOFF_MIN_S)
    assert play.now("a").pid is None
    hold.unlink()
    await until(lambda: play.now("a").state == "running")


async def test_waits_of_more_than_a_second_are_shown(play: Play) -> None:
    since = time.monotonic()

    async def slow() -> str:
        return "" if time.monotonic() - since > 1.5 else "not yet"

    ticking = asyncio.create_task(play.voice.tick())
    await play.supervise(Together([play.program("a", probe=slow)])).start()
    ticking.cancel()
    assert "A: not yet … 1 s" in play.heard.getvalue()
    assert "A: ready (1." in play.heard.getvalue()


def test_a_broken_pipe_silences_the_voice_and_nothing_else() -> None:
    closed = io.StringIO()
    voice = Voice(closed)
    closed.close()
    voice.say("nobody hears this")
