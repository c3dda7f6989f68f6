"""`headgate replay`: recorded traffic as load, with a verdict at the end."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import orjson
import uvloop

from headgate.cli.replay_options import add_options, check_resumed_alone, options_of
from headgate.cli.selecting import selection_of, settings_of
from headgate.cli.verifying import verify
from headgate.replay import report
from headgate.replay.guards import NotAllowed
from headgate.replay.journal import Journal, RunExists
from headgate.replay.options import Options, WrongOptions
from headgate.replay.recorded import Source
from headgate.replay.selection import WrongSelection
from headgate.replay.sink_rest import EdgeAddressWrong
from headgate.replay.sources import opened
from headgate.replay.whole import Ending, Wanted, carry_out, folder_of
from headgate.streams.clock import now_ms
from headgate.streams.ids import draw_id
from headgate.streams.settings import settings

STDOUT = "-"
HOLDS, FAILS, WRONG, CUT = 0, 1, 2, 75
"""Exit codes: the verdict holds, it does not, wrong usage, cut off and can be resumed."""


def run(arguments: argparse.Namespace) -> int:
    """Send, tell, judge; or decide again and compare."""
    if arguments.verify or arguments.clean:
        return verify(arguments)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # It is told in our own words.
    try:
        return uvloop.run(_replay(arguments))
    except (NotAllowed, WrongOptions, WrongSelection, EdgeAddressWrong, RunExists) as error:
        print(f"headgate replay: {error}", file=sys.stderr)
        return WRONG


async def _replay(given: argparse.Namespace) -> int:
    if given.in_memory:
        raise WrongOptions("--in-memory is for --verify; without that, load would be sent")
    if given.resume is not None:
        check_resumed_alone(given)
        wanted, source = _taken_up(given.resume)
    else:
        wanted, source = await _new(given)
    ending = await carry_out(wanted, source, settings())
    return _said(ending, given)


async def _new(given: argparse.Namespace) -> tuple[Wanted, Source]:
    if given.source is None:
        raise WrongOptions("say what to replay: a capture file, or `log`")
    source = opened(given.source, selection_of(given), settings_of(given), partial=given.partial)
    words = tuple(await source.frozen())
    return Wanted(given.run_id or draw_id("run_"), options_of(given, words), now_ms()), source


def _taken_up(run_id: str) -> tuple[Wanted, Source]:
    """A run of which a journal is here. Raises RunUnknown."""
    said = Journal.read(folder_of(settings()), run_id)
    options = Options.remembered(said["options"])
    parser = argparse.ArgumentParser()
    add_options(parser)
    words = parser.parse_args(options.source)
    source = opened(words.source, selection_of(words), settings_of(words), partial=words.partial)
    return Wanted(run_id, options, int(said["began_ms"]), said), source


def _said(ending: Ending, given: argparse.Namespace) -> int:
    """Tell what came of it: to people, unless stdout is for machines, and to files."""
    run, verdict = ending.run, ending.verdict
    if given.json != STDOUT:
        print(report.summary(run, verdict))
    if given.json is not None:
        told = orjson.dumps(
            report.document(run, ending.series, verdict), option=orjson.OPT_INDENT_2
        )
        _write(given.json, told.decode())
    if given.report is not None:
        _write(given.report, report.page(run, ending.series, verdict))
    if ending.left:
        print(ending.left, file=sys.stderr)
    if verdict is None:
        print(f"{run.run_id} did not come to its end: {ending.why}.", file=sys.stderr)
        print(f"Go on with: headgate replay --resume {run.run_id}", file=sys.stderr)
        return CUT
    return HOLDS if verdict.holds else FAILS


def _write(where: str, text: str) -> None:
    """Into a file, or to stdout."""
    if where == STDOUT:
        print(text)
        return
    try:
        Path(where).write_text(text)
    except OSError as error:
        # The run is over and judged: what it came to must not be lost for want of a file.
        print(f"{where} cannot be written: {error.strerror}", file=sys.stderr)
