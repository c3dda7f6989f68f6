"""Verify: recorded commands decided by today's code, and every decision compared (08 R35)."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from headgate.replay import differences
from headgate.replay.compared import Comparison, compared
from headgate.replay.decisions import Recording
from headgate.replay.fold import Fold
from headgate.replay.operations import outcomes_of
from headgate.replay.recorded import Source, SourceUnreadable
from headgate.replay.rerun import Tell, settled_again
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS, PAYMENT_FACTS
from headgate.tables.postgres import Postgres

RECORDS_MAX = 2_000_000
"""Records that one run compares: all of them are in memory, some 2 kB each."""
TOLD_EVERY = 1000
"""Records after which progress is told."""
PAYMENTS_SHOWN_MAX = 20
"""Payments whose differences are shown to people."""
LINE_EVERY_S = 5.0
"""How often progress is told where nothing can be redrawn."""


async def recorded(source: Source, tell: Tell) -> Recording:
    """All of a source. Raises SourceUnreadable when it is too long, or holds nothing that could
    be compared."""
    recording, total = Recording(), await source.count() or 0
    read = 0
    async for record in source.records():
        read += 1
        if read > RECORDS_MAX:
            raise SourceUnreadable(
                f"the source has more than {RECORDS_MAX:,} records, which one run does not hold:"
                " take it in parts, by --since and --until, or by --payment"
            )
        recording.add(record)
        if read % TOLD_EVERY == 0:
            tell("reading", read, total)
    if not recording.commands:
        raise SourceUnreadable(f"the source has no {PAYMENT_COMMANDS.name}: nothing to decide")
    if not recording.facts and not recording.decisions.outcomes:
        raise SourceUnreadable(
            f"the source has no {PAYMENT_FACTS.name}: there is nothing to compare with. Capture"
            f" {PAYMENT_COMMANDS.name} and {PAYMENT_FACTS.name}"
        )
    return recording


async def add_operations(recording: Recording, settings: Settings) -> None:
    """Add what the database of these settings knows about the commands: for a source that is its
    own log. Raises StoreUnavailable."""
    postgres = Postgres(settings)
    try:
        ids = [one.command_id for one in recording.asked()]
        recording.decisions.outcomes |= await outcomes_of(postgres, ids)
    finally:
        await postgres.close()


def verified_in_memory(recording: Recording, tell: Tell) -> Comparison:
    """Compare with what the pure decide() says: no server, no log, no database."""
    fold, total = Fold(), len(recording.commands)
    for done, record in enumerate(recording.commands):
        fold.decide(record)
        if done % TOLD_EVERY == 0:
            tell("deciding", done, total)
    return compared(recording.asked(), recording.decisions, fold.decisions)


async def verified(recording: Recording, settings: Settings, tell: Tell) -> Comparison:
    """Compare with what today's settle worker does, in a scratch namespace on the servers of
    `settings`. Raises NotSettled, Unavailable."""
    today = await settled_again(recording, settings, tell)
    return compared(recording.asked(), recording.decisions, today)


def lines(comparison: Comparison) -> Iterator[str]:
    """The differences and the sums, for people."""
    yield from differences.told(comparison.differences, PAYMENTS_SHOWN_MAX)
    yield (
        f"compared {_many(comparison.payments, 'payment')}:"
        f" {_many(comparison.commands, 'command')} and {_many(comparison.facts, 'fact')}"
    )
    if comparison.begun_before:
        what = _many(comparison.begun_before, "payment")
        yield f"left out what is told of {what} that began before the source"
    if comparison.not_recorded_yet:
        what = _many(comparison.not_recorded_yet, "command")
        yield f"left out {what} whose decision is behind the source's end"
    if comparison.only_facts:
        yield (
            "only facts were compared: the source has no operations, so refusals, answers and calls"
            " to banks are not in it"
        )
    yield _verdict(comparison)


def _verdict(comparison: Comparison) -> str:
    if comparison.same:
        return "today's code decides all of it as it was recorded"
    payments = len({one.payment_id for one in comparison.differences})
    return (
        f"today's code decides {_many(comparison.differing, 'thing')} otherwise, in"
        f" {_many(payments, 'payment')}"
    )


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


class Shown:
    """Progress for people, on standard error: one redrawn line on a terminal, else a line now and
    then."""

    def __init__(self) -> None:
        self._redraws = sys.stderr.isatty()
        self._what = ""
        self._told_at = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Tell how far it is."""
        now = time.monotonic()
        if what == self._what and not self._redraws and now - self._told_at < LINE_EVERY_S:
            return
        self._what, self._told_at = what, now
        told = f"{what}: {done:,} of {total:,}" if total else f"{what}: {done:,}"
        sys.stderr.write(f"\r\x1b[K{told}" if self._redraws else f"{told}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave no half a line behind."""
        if self._redraws and self._what:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
