"""`headgate tail`: the records of a topic, one line each, as they come."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing

from headgate.cli.selecting import TAIL_LAST, settings_of
from headgate.replay.following import Follower
from headgate.replay.log_source import LogSource
from headgate.replay.record_lines import Choice, json_of, line_of, selecting_nothing
from headgate.replay.recorded import Recorded
from headgate.replay.selection import Selection
from headgate.streams.settings import Settings

LOOKED_THROUGH = 10_000
"""Records among which the newest of a type or a merchant are looked for, when no time is given."""

Records = AsyncGenerator[Recorded, None]


def run(arguments: argparse.Namespace) -> int:
    """Show what there is, then follow until Ctrl-C or until nobody reads on. Exit code 2: a type
    that the topic does not have."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # We tell it in our own words.
    topic, types = arguments.topic, tuple(arguments.types)
    nothing = selecting_nothing(topic, types)
    if nothing is not None:
        _complain(f"headgate tail: no record of {topic} has the type {nothing};"
                  " docs/reference/events.md lists those of facts")  # fmt: skip
        return 2
    tail = Tail(settings_of(arguments), arguments, Choice(types, frozenset(arguments.merchants)))
    try:
        asyncio.run(tail.show())
    except KeyboardInterrupt:
        pass  # the way to end it
    except BrokenPipeError:
        # Python flushes once more at its end; nobody reads that either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


class Tail:
    """One topic being shown."""

    def __init__(self, settings: Settings, given: argparse.Namespace, choice: Choice) -> None:
        self._settings = settings
        self._given = given
        self._choice = choice
        self._colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._last = given.last or (None if given.since is not None else TAIL_LAST)

    async def show(self) -> None:
        """Show what is there, then what comes."""
        source = LogSource(self._settings, self._selection())
        ends = {part: span.end for part, span in (await source.spans()).items()}
        there = self._chosen(source.records())
        if self._last is None:
            await self._print_all(there)
        else:
            for record in await _newest(there, self._last):
                self._print(record)
        if self._given.follow:
            follower = Follower(self._settings, ends, _complain)
            await self._print_all(self._chosen(follower.records()))

    def _selection(self) -> Selection:
        window = self._last
        if window is not None and self._choice != Choice():
            window = max(window, LOOKED_THROUGH) if self._given.since is None else None
        return Selection(
            topics=(self._given.topic,),
            since_ms=self._given.since,
            keys=frozenset(key.encode() for key in self._given.keys),
            last=window,
        )

    async def _chosen(self, records: Records) -> Records:
        keys = self._selection().keys
        async with aclosing(records):
            async for record in records:
                if self._choice.wants(record) and (not keys or record.key in keys):
                    yield record

    async def _print_all(self, records: Records) -> None:
        # Closed from the outside in, also when nobody reads on: a generator that is left open
        # makes asyncio complain at the end.
        async with aclosing(records):
            async for record in records:
                self._print(record)

    def _print(self, record: Recorded) -> None:
        given = self._given
        print(json_of(record) if given.json else line_of(record, colours=self._colours), flush=True)


async def _newest(records: Records, most: int) -> deque[Recorded]:
    found: deque[Recorded] = deque(maxlen=most)
    async for record in records:
        found.append(record)
    return found


def _complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
