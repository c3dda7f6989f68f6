"""`headgate capture` when it is stopped, and when the log fails it."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headgate.cli import capture
from headgate.cli.selecting import add_selection
from headgate.replay.capture_file import CaptureUnwritable, records_of
from headgate.replay.log_ranges import Spans
from headgate.replay.recorded import Recorded
from headgate.replay.selection import Selection
from headgate.streams.errors import LogUnavailable
from headgate.streams.log_reader import Extent
from headgate.streams.settings import Settings
from tests.unit.recorded_setting import a_record, full_disk

each_form = pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.zst", "a.parquet"])
THREE = [a_record(offset, value=b"4111111111111111") for offset in range(3)]


class Log:
    """A log that shows three records, and then does what the test is about."""

    def __init__(self, settings: Settings, selection: Selection) -> None:
        del settings, selection

    async def spans(self) -> Spans:
        return {("payments.commands", 0): Extent(0, 4)}

    async def count(self) -> int:
        return 4

    async def records(self) -> AsyncIterator[Recorded]:
        for record in THREE:
            yield record
        await self.then()

    async def then(self) -> None:
        """Ends."""


class Stopped(Log):
    """Somebody types Ctrl-C while it waits."""

    async def then(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)


class Gone(Log):
    """Kafka goes away."""

    async def then(self) -> None:
        raise LogUnavailable("Kafka is away")


def run(log: type[Log], out: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(capture, "LogSource", log)
    parser = argparse.ArgumentParser()
    add_selection(parser, short=True)
    given = parser.parse_args([])
    given.out, given.overwrite, given.with_operations = str(out), False, False
    return capture.run(given)


@each_form
def test_ctrl_c_keeps_what_was_captured_as_a_whole_file(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(Stopped, tmp_path / name, monkeypatch) == 130
    assert len(list(records_of(tmp_path / name))) == 3
    told = capsys.readouterr()
    assert f"{name}: 3 records, " in told.out
    assert "It was cut by its user: more was asked for. The file says so." in told.err
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_was_read_before_a_failure_is_kept_as_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LogUnavailable, match=r"Kafka is away; .* holds the 3 records before, for"):
        run(Gone, tmp_path / "a.ndjson.zst", monkeypatch)
    (part,) = tmp_path.iterdir()
    assert part.name == f"a.part-{os.getpid()}.ndjson.zst"
    assert len(list(records_of(part, partial=True))) == 3


def test_a_time_that_no_calendar_has_is_told_as_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(f"{__name__}.THREE", [a_record(0, 0), a_record(1, 2**60)])
    assert run(Log, tmp_path / "a.ndjson", monkeypatch) == 0
    assert f"from 1970-01-01T00:00:00.000Z to {2**60} ms\n" in capsys.readouterr().out


@each_form
def test_a_disk_that_is_full_at_the_end_is_told_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = full_disk(tmp_path / name)
    with pytest.raises(CaptureUnwritable) as told:
        run(Log, tmp_path / name, monkeypatch)
    assert str(told.value) == (
        f"{part} cannot be written: No space left on device; {part} holds what could be written,"
        " for --partial"
    )


def test_no_card_number_leaves_the_house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(Log, tmp_path / "a.ndjson", monkeypatch) == 0
    assert "4111111111111111" not in (tmp_path / "a.ndjson").read_text()
    assert {r.value for r in records_of(tmp_path / "a.ndjson")} == {b"************1111"}
    told = capsys.readouterr().err
    assert "WARNING: 3 records held what looks like a card number" in told
    assert "payments.commands/0@2." in told
