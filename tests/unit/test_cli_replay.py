"""`headgate replay`: what it says in the end, where, and by which exit code."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from headgate.cli import replay
from headgate.cli.replay_options import add_options
from headgate.replay.checks import Verdict
from headgate.replay.whole import Ending
from tests.unit.replay_runs import BAD, GOOD, a_run, a_series


def said(verdict: Verdict | None, report: str | None = None, as_json: str | None = None) -> int:
    """The exit code of a run that came to this."""
    if verdict is None:
        ending = Ending(a_run(), "stopped", "it was told to stop", a_series())
    else:
        ending = Ending(a_run(), "whole", "", a_series(), verdict)
    return replay._said(ending, argparse.Namespace(report=report, json=as_json))


@pytest.mark.parametrize(("verdict", "code"), [(GOOD, 0), (BAD, 1), (None, 75)])
def test_the_exit_code_says_what_came_of_it(verdict: Verdict | None, code: int) -> None:
    assert said(verdict) == code


def test_people_read_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    said(BAD)
    assert "verdict: it does NOT add up" in capsys.readouterr().out
    said(None)
    told = capsys.readouterr()
    assert "verdict" not in told.out
    assert "headgate replay --resume r7" in told.err


def test_machines_read_one_document_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    said(GOOD, as_json="-")
    assert json.loads(capsys.readouterr().out)["verdict"]["holds"] is True
    said(None, as_json="-")
    assert json.loads(capsys.readouterr().out)["verdict"] is None


def test_the_report_and_the_document_go_into_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, document = tmp_path / "out.html", tmp_path / "out.json"
    assert said(BAD, str(page), str(document)) == 1
    assert "It does not add up." in page.read_text()
    assert json.loads(document.read_text())["run"]["id"] == "r7"
    assert "verdict:" in capsys.readouterr().out
    assert said(None, str(page)) == 75
    assert "It was cut off, and not judged." in page.read_text()


def test_a_report_that_cannot_be_written_does_not_hide_the_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(GOOD, str(tmp_path / "nowhere" / "out.html")) == 0
    told = capsys.readouterr()
    assert "cannot be written" in told.err
    assert "verdict: it adds up" in told.out


def test_an_endpoint_that_is_left_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    ending = Ending(a_run(), "whole", "", a_series(), GOOD, "whe_1 is still there")
    assert replay._said(ending, argparse.Namespace(report=None, json=None)) == 0
    told = capsys.readouterr()
    assert "verdict: it adds up" in told.out
    assert "whe_1 is still there" in told.err


def run(words: str) -> int:
    """The exit code of a command line."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    return replay.run(parser.parse_args(words.split()))


def test_in_memory_alone_sends_no_load(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("nowhere.ndjson --in-memory") == 2
    assert "--in-memory is for --verify" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        ("--settle-within 5m", "--settle-within"),
        ("other.ndjson --for 1h --begin 0:1", "SOURCE, --begin, --for"),
        ("--same-ids", "--same-ids"),
    ],
)
def test_what_a_run_that_goes_on_would_not_heed_is_refused(
    beside: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(f"--resume run_a {beside} --report out.html --json -") == 2
    assert f"leave {told} out" in capsys.readouterr().err
