"""`headgate replay --verify`: today's code against what was recorded."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path

import orjson

from headgate.cli.selecting import selection_of, settings_of
from headgate.replay.compared import Comparison
from headgate.replay.decisions import Recording
from headgate.replay.recorded import SourceUnreadable
from headgate.replay.scratch import drop_leftovers
from headgate.replay.sources import LOG, opened
from headgate.replay.verify import (
    Shown,
    add_operations,
    lines,
    recorded,
    verified,
    verified_in_memory,
)
from headgate.streams.errors import HeadgateError, StoreUnavailable
from headgate.streams.settings import settings

SAME, DIFFERS, WRONG, STOPPED = 0, 1, 2, 130
"""Exit codes: all is decided as it was, it is not, it could not be compared, Ctrl-C."""


def add_verify(parser: argparse.ArgumentParser) -> None:
    """Add the options of `--verify`."""
    group = parser.add_argument_group("verify")
    group.add_argument(
        "--verify",
        action="store_true",
        help="send nothing: decide the recorded commands again with today's code, in a scratch"
        " namespace that is dropped afterwards, and list every decision that differs",
    )
    group.add_argument(
        "--in-memory",
        action="store_true",
        help="with --verify: by the pure decide() alone, without any server",
    )
    group.add_argument(
        "--clean",
        action="store_true",
        help="with --verify: only drop the scratch namespaces that killed runs have left",
    )


def verify(given: argparse.Namespace) -> int:
    """Compare, or clean, and tell what came of it."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # We tell it in our own words.
    try:
        return asyncio.run(_until_told_to_stop(_clean() if given.clean else _verify(given)))
    except HeadgateError as error:  # whatever kept it from comparing: it says nothing of the code
        print(f"headgate replay --verify: {error}", file=sys.stderr)
        return WRONG
    except (asyncio.CancelledError, KeyboardInterrupt):
        print("stopped; nothing is left of the scratch namespace", file=sys.stderr)
        return STOPPED


async def _until_told_to_stop(work: Coroutine[None, None, int]) -> int:
    """SIGTERM ends the work as Ctrl-C does: what it made is dropped first."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


async def _clean() -> int:
    dropped = await drop_leftovers(settings())
    for name in dropped:
        print(f"dropped {name}")
    if not dropped:
        print("there is no scratch namespace of a killed run")
    return SAME


async def _verify(given: argparse.Namespace) -> int:
    if given.source is None:
        raise SourceUnreadable("say what to verify: a capture file, or `log`")
    shown = Shown()
    try:
        comparison = await _compared(given, shown)
    finally:
        shown.end()
    if not _tell(comparison, given.json):
        return WRONG
    return SAME if comparison.same else DIFFERS


async def _compared(given: argparse.Namespace, shown: Shown) -> Comparison:
    here = settings_of(given)
    source = opened(
        given.source, selection_of(given), here, partial=getattr(given, "partial", False)
    )
    recording = await recorded(source, shown)
    if given.source == LOG:
        await _add_operations(recording, given)
    if given.in_memory:
        return verified_in_memory(recording, shown)
    return await verified(recording, here, shown)


async def _add_operations(recording: Recording, given: argparse.Namespace) -> None:
    """The log's own database knows the refusals; without it facts are compared all the same."""
    try:
        await add_operations(recording, settings_of(given))
    except StoreUnavailable as error:
        if not given.in_memory:
            raise
        print(f"only facts will be compared: {error}", file=sys.stderr)


def _tell(comparison: Comparison, json: str | None) -> bool:
    """To people, unless stdout is for machines, and to a file; whether that could be written."""
    document = orjson.dumps(comparison.as_json(), option=orjson.OPT_INDENT_2)
    if json == "-":
        print(document.decode())
        return True
    for line in lines(comparison):
        print(line)
    try:
        if json is not None:
            Path(json).write_bytes(document + b"\n")
    except OSError as error:
        print(f"{json} cannot be written: {error.strerror}", file=sys.stderr)
        return False
    return True
