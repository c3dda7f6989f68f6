"""A run's journal: whole lines on a disk that fills up, and a run that stops when it is full."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from headgate.embedded.lock import Lock
from headgate.replay import row
from headgate.replay.journal import Journal, JournalUnwritable, RunBusy
from headgate.replay.row import RunRow, kept
from headgate.replay.sinks import Outcome
from headgate.replay.steps import Place
from headgate.replay.tally import Tally

STEPS = 5


class Disk:
    """Takes a few bytes at a time, until it is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = 10**6
        self.at_once = 7
        self._write: Callable[[int, bytes], int] = os.write
        monkeypatch.setattr("headgate.replay.journal.os.write", self.write)

    def write(self, file: int, text: bytes) -> int:
        """As `os.write`."""
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = self._write(file, text[: min(self.at_once, self.room)])
        self.room -= taken
        return taken


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """One with room."""
    return Disk(monkeypatch)


def written(folder: Path, steps: range) -> Journal:
    """A journal that these steps were told to."""
    journal = Journal(folder, "run_a")
    for number in steps:
        place = Place(0, "payments.commands", 0, number)
        journal.write(place, Outcome(201, "", f"p{number}", f"p{number}"), 5)
    return journal


def restored(folder: Path) -> Tally:
    """What the next sitting knows."""
    tally, journal = Tally(), Journal(folder, "run_a")
    journal.restore(tally)
    journal.close()
    return tally


@pytest.mark.usefixtures("disk")
def test_lines_are_whole_also_when_the_disk_takes_a_few_bytes_at_a_time(tmp_path: Path) -> None:
    written(tmp_path, range(STEPS)).close()
    assert restored(tmp_path).accepted == {f"p{number}" for number in range(STEPS)}


def test_a_full_disk_is_told_with_what_to_do_and_later_lines_follow_whole_ones(
    tmp_path: Path, disk: Disk
) -> None:
    journal, disk.room = written(tmp_path, range(STEPS)), 100
    with pytest.raises(JournalUnwritable, match=r"No space left.*--resume run_a"):
        journal.flush()
    with pytest.raises(JournalUnwritable):
        journal.close()
    assert len(restored(tmp_path).accepted) == 2  # The torn line is cut off: its step goes again.


def test_a_line_that_was_torn_is_continued_when_there_is_room_again(
    tmp_path: Path, disk: Disk
) -> None:
    journal, disk.room = written(tmp_path, range(STEPS)), 100
    with pytest.raises(JournalUnwritable):
        journal.flush()
    disk.room = 10**6
    journal.close()
    assert len(restored(tmp_path).accepted) == STEPS


def test_a_journal_that_was_torn_in_its_middle_can_be_read(tmp_path: Path) -> None:
    """As those of before were, when the disk had been full for a moment."""
    written(tmp_path, range(STEPS)).close()
    answers = tmp_path / "run_a.answers"
    lines = answers.read_bytes().splitlines(keepends=True)
    answers.write_bytes(b"".join([lines[0], lines[1][:20], *lines[2:]]))
    assert restored(tmp_path).accepted == {"p0", "p3", "p4"}


def test_a_run_whose_folder_cannot_be_written_does_not_begin(tmp_path: Path) -> None:
    (tmp_path / "replays").touch()
    with pytest.raises(JournalUnwritable, match=r"run_a\.json cannot be written"):
        Journal.begin(tmp_path / "replays", "run_a", {})


def test_a_run_is_carried_out_by_one_process_at_a_time(tmp_path: Path) -> None:
    """Two would take each other's receiver away, and append records twice."""
    (tmp_path / "run_a.json").write_text("{}")
    with Lock(tmp_path, "run_a.lock") as another:
        assert another.taken()
        with pytest.raises(RunBusy, match="run_a is being carried out by another process"):
            Journal.read(tmp_path, "run_a")
        with pytest.raises(RunBusy):
            Journal.begin(tmp_path, "run_a", {}, again=True)
        assert (tmp_path / "run_a.json").read_text() == "{}"
    assert Journal.read(tmp_path, "run_a") == {}
    Journal.begin(tmp_path, "run_a", {}, again=True).close()
    with Lock(tmp_path, "run_a.lock") as another:
        assert not another.taken()  # Its verdict may still be to come.


class NoRow:
    """The row of a run without PostgreSQL."""

    async def begin(self) -> None:
        """Nothing."""

    async def tell(self, _state: str) -> bool:
        """Nobody wants it to stop."""
        return False


async def test_a_run_is_stopped_when_its_journal_cannot_be_written(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row, "FLUSH_EVERY_S", 0.001)
    journal, stopped, disk.room = written(tmp_path, range(STEPS)), asyncio.Event(), 0
    with pytest.raises(JournalUnwritable, match="the run was stopped"):
        async with kept(cast("RunRow", NoRow()), journal, stopped.set):
            await asyncio.wait_for(stopped.wait(), 10)
    assert stopped.is_set()
