"""`headgate replay --verify`: what it says, and the exit codes that scripts go by (08 R35)."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from headgate.cli import verifying
from headgate.cli.selecting import add_selection
from headgate.cli.verifying import add_verify, verify
from headgate.replay.capture_file import CaptureFile
from headgate.replay.capture_format import Header
from headgate.replay.recorded import Recorded
from headgate.streams.clock import iso
from headgate.streams.settings import Settings
from tests.unit.builders import AT_MS
from tests.unit.replay_lives import life, lives, recorded


def captured(folder: Path, records: Iterable[Recorded], *, whole: bool = True) -> str:
    """A capture file of these records; its name."""
    header = Header(
        headgate="1", namespace="", partitions=3, topics=("payments.commands",), began_at=iso(AT_MS)
    )
    file = CaptureFile(folder / "lives.ndjson.zst", header)
    for record in sorted(records, key=lambda one: (one.at_ms, one.topic)):
        file.write(record)
    if whole:
        file.finish()
        return str(file.path)
    file.abandon()
    return str(file.part)


def run(*words: str, in_memory: bool = True) -> int:
    """The exit code of `headgate replay --verify` with these words."""
    parser = argparse.ArgumentParser()
    parser.add_argument("source", nargs="?")
    parser.add_argument("--json")
    parser.add_argument("--partial", action="store_true")
    add_selection(parser)
    add_verify(parser)
    how = ["--in-memory"] if in_memory else []
    return verify(parser.parse_args(["--verify", *how, *words]))


def test_the_same_decisions_are_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(captured(tmp_path, recorded(lives(6, 3)))) == 0
    said = capsys.readouterr().out
    assert "compared 6 payments: 24 commands and" in said
    assert "today's code decides all of it as it was recorded" in said


def test_a_difference_is_1_and_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = recorded(life())
    bad = next(place for place, one in enumerate(source) if one.topic == "payments.facts")
    value = (source[bad].value or b"").replace(b'"amount":50000', b'"amount":1')
    source[bad] = replace(source[bad], value=value)
    file = captured(tmp_path, source)
    assert run(file) == 1
    said = capsys.readouterr().out
    assert "      data.payment.amount: recorded 1, today 50000" in said
    assert "today's code decides 1 thing otherwise, in 1 payment" in said
    assert run(file, "--json", "-") == 1
    document = orjson.loads(capsys.readouterr().out)
    assert (document["same"], document["differing"]) == (False, 1)
    assert document["differences"][0]["changes"] == [
        {"path": "data.payment.amount", "recorded": 1, "today": 50_000}
    ]


def test_a_file_that_cannot_be_written_is_2_and_hides_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = str(tmp_path / "nowhere" / "out.json")
    assert run(captured(tmp_path, recorded(life())), "--json", nowhere) == 2
    said = capsys.readouterr()
    assert "today's code decides all of it as it was recorded" in said.out
    assert f"{nowhere} cannot be written: No such file" in said.err


def test_a_source_that_cannot_be_compared_is_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, said in (
        ([], "say what to verify"),
        ([str(tmp_path / "none.ndjson")], "there is no file"),
        ([captured(tmp_path, life())], "the source has no payments.facts"),
    ):
        assert run(*words) == 2
        assert said in capsys.readouterr().err


def test_a_server_that_is_away_is_2_and_no_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = Settings(postgres="postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setattr(verifying, "settings_of", lambda _: nobody)
    assert run(captured(tmp_path, recorded(life())), in_memory=False) == 2
    assert "PostgreSQL is away" in capsys.readouterr().err


def test_a_file_without_commands_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = [one for one in recorded(life()) if one.topic == "payments.facts"]
    assert run(captured(tmp_path, facts)) == 2
    assert "has no payments.commands" in capsys.readouterr().err


def test_a_cut_capture_is_2_unless_a_part_will_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = captured(tmp_path, recorded(lives(6, 3)), whole=False)
    assert run(part) == 2
    assert "is cut" in capsys.readouterr().err
    assert run(part, "--partial") == 0


def test_what_was_left_out_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = recorded(lives(6, 3), operations=False)
    source = [one for one in source if (one.topic, one.offset) != ("payments.commands", 0)]
    assert run(captured(tmp_path, source)) == 0
    said = capsys.readouterr().out
    assert "left out what is told of 3 payments that began before the source" in said
    assert "only facts were compared" in said
