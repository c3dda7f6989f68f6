"""`headgate capture`: records of the log into a file, to be replayed, compared or looked at."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from headgate.cli.selecting import selection_of, settings_of
from headgate.replay.capture_file import CaptureFile
from headgate.replay.capture_format import Header
from headgate.replay.capturing import Captured, copy
from headgate.replay.decisions import OPERATIONS
from headgate.replay.log_source import LogSource
from headgate.replay.operations import WithOperations
from headgate.replay.record_lines import time_of
from headgate.replay.recorded import Recorded
from headgate.replay.selection import DEFAULT_TOPICS, Selection, WrongSelection
from headgate.streams.clock import iso, now_ms
from headgate.streams.errors import HeadgateError
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres

REDRAW_S = 0.2
"""How often the line on a terminal is drawn anew."""
TOLD_EVERY_S = 5.0
"""How often a line is written where there is no terminal."""
CUT = 130
"""The exit code after Ctrl-C, as everywhere."""


def run(arguments: argparse.Namespace) -> int:
    """Capture. Exit code 0: all that was asked for is in the file; 1: it failed, and what was read
    is kept in a part; 2: the options contradict each other; 130: it was cut by its user."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # We tell it in our own words.
    try:
        selection = selection_of(arguments)
    except WrongSelection as error:
        print(f"headgate capture: {error}", file=sys.stderr)
        return 2
    out = Path(arguments.out)
    return asyncio.run(_capture(settings_of(arguments), selection, out, arguments))


async def _capture(
    here: Settings, selection: Selection, out: Path, given: argparse.Namespace
) -> int:
    source = LogSource(here, selection)
    header = await _header(here, selection, source)
    if given.with_operations:
        header = header.model_copy(update={"topics": (*header.topics, OPERATIONS)})
    file = CaptureFile(out, header, overwrite=given.overwrite)
    captured, expected = Captured(), await source.count()
    showing = asyncio.create_task(_show(captured, expected))
    try:
        async with _records(source, here, given.with_operations) as records:
            whole = await _copy_until_stopped(records, file, captured)
        file.finish(cut_by_user=not whole)
    except HeadgateError as error:
        file.abandon()
        raise type(error)(f"{error}{_kept(file)}") from error
    finally:
        showing.cancel()
        await asyncio.wait({showing})
    _tell(file, captured, whole=whole)
    return 0 if whole else CUT


@asynccontextmanager
async def _records(
    source: LogSource, here: Settings, with_operations: bool
) -> AsyncIterator[AsyncIterator[Recorded]]:
    """What goes into the file: the log's records, and with `--with-operations` the rows behind the
    commands, for `headgate replay --verify`."""
    if not with_operations:
        yield source.records()
        return
    postgres = Postgres(here)
    try:
        yield WithOperations(source, postgres).records()
    finally:
        await postgres.close()


async def _header(here: Settings, selection: Selection, source: LogSource) -> Header:
    spans = await source.spans()
    some_only = bool(selection.starts or selection.ends)
    return Header(
        headgate=version("headgate"),
        namespace=here.namespace,
        partitions=max([here.partitions if some_only else 1, *(number + 1 for _, number in spans)]),
        topics=selection.topics or DEFAULT_TOPICS,
        began_at=iso(now_ms()),
    )


async def _copy_until_stopped(
    records: AsyncIterator[Recorded], file: CaptureFile, captured: Captured
) -> bool:
    """Copy until the source ends, or until Ctrl-C or SIGTERM; whether it ended by itself."""
    copying = asyncio.create_task(copy(records, file, captured))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, copying.cancel)
    try:
        await copying
    except asyncio.CancelledError:
        return False
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    return True


def _kept(file: CaptureFile) -> str:
    if not file.records:
        return ""
    if file.failed:
        return f"; {file.part} holds what could be written, for --partial"
    return f"; {file.part} holds the {file.records:,} records before, for --partial"


async def _show(captured: Captured, expected: int | None) -> None:
    """Tell how far it is, until cancelled."""
    live, began = sys.stderr.isatty(), time.monotonic()
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(REDRAW_S if live else TOLD_EVERY_S)
            line = progress(captured, expected, time.monotonic() - began)
            print(f"\r\x1b[2K{line}" if live else line, end="" if live else "\n", file=sys.stderr)
            sys.stderr.flush()
    if live:
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)


def progress(captured: Captured, expected: int | None, seconds: float) -> str:
    """`12,000 of 20,000 records (60 %), 8.2 MB, 24,000 a second`."""
    count = captured.records
    of = (
        f" of {expected:,} records ({100 * count // max(expected, 1)} %)"
        if expected
        else " records"
    )
    return (
        f"{count:,}{of}, {_megabytes(captured.bytes)}, {count / max(seconds, 0.001):,.0f} a second"
    )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


def _tell(file: CaptureFile, captured: Captured, *, whole: bool) -> None:
    sizes = f"{_megabytes(captured.bytes)}, {_megabytes(file.path.stat().st_size)} on disk"
    print(f"{file.path}: {captured.records:,} records, {sizes}")
    if captured.first_ms is not None and captured.last_ms is not None:
        print(f"from {time_of(captured.first_ms)} to {time_of(captured.last_ms)}")
    for topic, count in sorted(captured.by_topic.items()):
        print(f"  {topic:20} {count:12,}")
    if not captured.records:
        _complain("nothing on the log is what was asked for")
    if not whole:
        _complain("It was cut by its user: more was asked for. The file says so.")
    if captured.starred:
        _complain(warning(captured))


def warning(captured: Captured) -> str:
    """Tells of what looked like card numbers. Nothing of Headgate's own writes any to the log."""
    more = captured.starred - len(captured.starred_at)
    places = ", ".join([*map(str, captured.starred_at), *([f"{more:,} more"] if more else [])])
    return (
        f"WARNING: {captured.starred:,} records held what looks like a card number. It is starred"
        f" out in the file; on the log it still stands, at {places}. The edge takes none, so find"
        " out who wrote these."
    )


def _complain(line: str) -> None:
    print(line, file=sys.stderr)
