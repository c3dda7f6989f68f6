"""The processes of load tests: one at a time, their ends remembered, none left behind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from headgate.dashboard.replay_runs import ReplayRuns, RunsFull
from headgate.streams.settings import Settings

SLEEPS = "#!/bin/sh\necho $$ $HEADGATE_STARTED_BY > {file}\nexec sleep 600\n"
FAILS = "#!/bin/sh\necho $4 is no source >&2\nexit 2\n"
DEAF = "#!/bin/sh\ntrap '' TERM\necho $$ > {file}\nwhile :; do sleep 0.05; done\n"


async def until(true: Callable[[], bool]) -> None:
    """Wait for it."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110  files and processes have no event
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Awaitable[ReplayRuns]]:
    """Starts `run_1` with this script in place of Headgate."""

    async def started(script: str) -> ReplayRuns:
        program = tmp_path / "python"
        program.write_text(script.format(file=tmp_path / "began"))
        program.chmod(0o755)
        monkeypatch.setattr("sys.executable", str(program))
        runs = ReplayRuns(Settings(state_dir=tmp_path), "http://127.0.0.1:8000")
        await runs.start("run_1", ["nonsense"], "operator:opr_1")
        return runs

    return started


async def pid_of(folder: Path) -> int:
    """The started process."""
    began = folder / "began"
    await until(lambda: began.exists() and bool(began.read_text().strip()))
    return int(began.read_text().split()[0])


async def test_one_runs_at_a_time_and_ends_with_its_process(
    begin: Callable[[str], Awaitable[ReplayRuns]], tmp_path: Path
) -> None:
    runs = await begin(SLEEPS)
    pid = await pid_of(tmp_path)
    assert (tmp_path / "began").read_text().split()[1] == "operator:opr_1"
    assert runs.is_running("run_1")
    with pytest.raises(RunsFull):
        await runs.start("run_2", [], "operator:opr_1")
    await runs.close()
    assert not is_alive(pid)
    assert not runs.is_running("run_1")


async def test_one_that_does_not_listen_is_ended_all_the_same(
    begin: Callable[[str], Awaitable[ReplayRuns]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headgate.dashboard.replay_runs.ENDS_WITHIN_S", 0.1)
    runs = await begin(DEAF)
    pid = await pid_of(tmp_path)
    await runs.close()
    assert not is_alive(pid)


async def test_why_one_did_not_begin_is_remembered(
    begin: Callable[[str], Awaitable[ReplayRuns]],
) -> None:
    runs = await begin(FAILS)
    await until(lambda: runs.ended("run_1") is not None)
    ended = runs.ended("run_1")
    assert ended is not None
    assert (ended.code, ended.said) == (2, "nonsense is no source")
    await runs.start("run_2", ["x"], "operator:opr_1")
    await runs.close()


def test_captures_are_the_newest_of_the_state_folder(tmp_path: Path) -> None:
    runs = ReplayRuns(Settings(state_dir=tmp_path), "http://127.0.0.1:8000")
    assert runs.captures() == []
    folder = tmp_path / "captures"
    folder.mkdir()
    for age, name in enumerate(("a.ndjson", "b.ndjson.zst", "c.parquet", "d.txt")):
        (folder / name).touch()
        os.utime(folder / name, (1000 - age, 1000 - age))
    assert [path.name for path in runs.captures()] == ["a.ndjson", "b.ndjson.zst", "c.parquet"]
