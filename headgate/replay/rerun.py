"""Recorded commands settled again, by today's settle worker, in a scratch namespace."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from headgate.embedded import process
from headgate.replay.decisions import Asked, Decisions, Recording
from headgate.replay.operations import facts_of, outcomes_of
from headgate.replay.recorded import Recorded
from headgate.replay.scratch import scratch
from headgate.streams.bus import Bus, Record
from headgate.streams.engine.claims import EXIT_CLAIM_LOST
from headgate.streams.errors import HeadgateError
from headgate.streams.log_reader import LogReader
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS, dead_letters_of
from headgate.tables.postgres import Postgres

APPENDED_AT_ONCE = 1000
"""Commands that one publish takes to the log."""
STALL_S = 120.0
"""How long nothing may be settled before the run is given up."""
POLL_S = 0.2
STOP_WAIT_S = 10.0
"""How long the worker may take to end before it is killed."""
STARTS_MAX = 5
"""How often a worker that asks for it (exit 75) is started."""
LOG_LINES = 12

Tell = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""


class NotSettled(HeadgateError):
    """The settle worker did not come to the end of the recorded commands."""


async def settled_again(recording: Recording, base: Settings, tell: Tell) -> Decisions:
    """What today's settle worker decides about the recorded commands, at their recorded times.

    Only settle runs: no bank is asked, no webhook sent, no timer set off but the recorded ones.
    The namespace is gone afterwards. Raises NotSettled and Unavailable.
    """
    tell("making a scratch namespace", 0, len(recording.commands))
    async with scratch(base, recording.partitions) as here:
        # Before the worker starts: a reminder that it sends at once stands behind the recorded one,
        # and is its repetition, not it.
        await _append(recording.commands, here, tell)
        async with _settling(here) as worker:
            await worker.reach(recording.commands, tell)
        tell("reading what was decided", len(recording.commands), len(recording.commands))
        return await _decided(recording, here)


async def _append(commands: list[Recorded], here: Settings, tell: Tell) -> None:
    """Each to its own partition, with its own key, bytes, headers and time."""
    topic, bus = PAYMENT_COMMANDS.full_name(here), Bus.of(here, "replay")
    await bus.start()
    try:
        for start in range(0, len(commands), APPENDED_AT_ONCE):
            some = commands[start : start + APPENDED_AT_ONCE]
            await bus.publish(
                [
                    Record(topic, one.partition, one.key or b"", one.value, one.headers, one.at_ms)
                    for one in some
                ]
            )
            tell("appending", start + len(some), len(commands))
    finally:
        await bus.stop()


class _Worker:
    """One `headgate worker settle` on the scratch namespace."""

    def __init__(self, here: Settings, folder: Path) -> None:
        self._here = here
        self._log = folder / "settle.log"
        self._environment = _environment(here, folder)
        self._postgres = Postgres(here)
        self._running: asyncio.subprocess.Process | None = None
        self._starts = 0

    async def start(self) -> None:
        """Start it, or start it again."""
        self._starts += 1
        command = [sys.executable, "-m", "headgate", "worker", "settle"]
        self._running = await process.start(command, self._log, environment=self._environment)

    async def stop(self) -> None:
        """End it, politely first."""
        await self._postgres.close()
        running = self._running
        if running is None or running.returncode is not None:
            return
        process.send(running.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(running.wait(), STOP_WAIT_S)
        except TimeoutError:
            process.send(running.pid, signal.SIGKILL)
            await running.wait()

    async def reach(self, commands: list[Recorded], tell: Tell) -> None:
        """Wait until all of these are decided, and told. Raises NotSettled, StoreUnavailable."""
        wanted = Counter(record.partition for record in commands)
        done, moved_at = -1, time.monotonic()
        while done < wanted.total():
            await self._mind()
            now = await self._position(wanted)
            if now > done:
                done, moved_at = now, time.monotonic()
                tell("settling", done, wanted.total())
            elif time.monotonic() - moved_at > STALL_S:
                raise NotSettled(self._failed(f"settled nothing for {STALL_S:g} s"))
            if done < wanted.total():
                await asyncio.sleep(POLL_S)

    async def _position(self, wanted: Counter[int]) -> int:
        """How many commands are decided with their facts published (08 R3)."""
        rows = await self._postgres.fetch("claimed", PAYMENT_COMMANDS.name, list(wanted))
        return sum(min(row["published_offset"], wanted[row["partition"]]) for row in rows)

    async def _mind(self) -> None:
        code = None if self._running is None else self._running.returncode
        if code is None:
            return
        if code != EXIT_CLAIM_LOST or self._starts == STARTS_MAX:
            raise NotSettled(self._failed(f"ended with code {code}"))
        await self.start()

    def _failed(self, how: str) -> str:
        lines = "\n  ".join(process.last_lines(self._log, LOG_LINES))
        return f"the settle worker of {self._here.namespace} {how}; its last lines:\n  {lines}"


@asynccontextmanager
async def _settling(here: Settings) -> AsyncIterator[_Worker]:
    with tempfile.TemporaryDirectory(prefix="headgate-verify-") as folder:
        worker = _Worker(here, Path(folder))
        try:
            await worker.start()
            yield worker
        finally:
            await worker.stop()


def _environment(here: Settings, folder: Path) -> dict[str, str]:
    """The worker's: ours, with the scratch namespace in place of the live one."""
    return {
        **os.environ,
        "HEADGATE_NAMESPACE": here.namespace,
        "HEADGATE_PARTITIONS": str(here.partitions),
        "HEADGATE_KAFKA": here.kafka,
        "HEADGATE_REDIS": here.redis,
        "HEADGATE_POSTGRES": here.postgres,
        "HEADGATE_STATE_DIR": str(folder),
        "HEADGATE_WORKER_METRICS_PORT": "0",
        "HEADGATE_BATCH_EVERY_MS": "0",
    }


async def _decided(recording: Recording, here: Settings) -> Decisions:
    """The decisions that stand in the scratch schema, and why commands are dead letters."""
    asked, postgres, decisions = list(recording.asked()), Postgres(here), Decisions()
    try:
        decisions.outcomes = await outcomes_of(postgres, (one.command_id for one in asked))
        async for fact in facts_of(postgres, (one.payment_id for one in asked)):
            decisions.tell(*fact)
    finally:
        await postgres.close()
    decisions.dead = await _dead(here)
    return decisions


async def _dead(here: Settings) -> dict[str, str]:
    """The reasons of dead letters by command, as far as one look at them goes."""
    topic, reader = dead_letters_of(PAYMENT_COMMANDS), LogReader(here)
    try:
        reading = await reader.read(await reader.extents([topic.full_name(here)]))
    finally:
        await reader.close()
    found: dict[str, str] = {}
    for seen in reading.seen:
        one = seen.record
        record = Recorded(topic.name, one.partition, 0, seen.at_ms, one.key, one.value, one.headers)
        if (asked := Asked.of(record)) is not None:
            found[asked.command_id] = dict(one.headers).get("x-reason", b"").decode()
    return found
