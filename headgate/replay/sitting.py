"""One sitting of a run: from the look at its source to the last answer, or to where it was cut."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from headgate.replay.fresh_ids import FreshIds, Ids, RecordedIds
from headgate.replay.guards import check_topic
from headgate.replay.journal import Journal
from headgate.replay.log_ranges import partitions_of
from headgate.replay.options import Options, WrongOptions
from headgate.replay.outlook import Outlook, command_of
from headgate.replay.raw import RawSender, into
from headgate.replay.recorded import Recorded, Source
from headgate.replay.row import RunRow, kept
from headgate.replay.sender import CutOff, Sender
from headgate.replay.sink_commands import CommandsSink
from headgate.replay.sink_rest import Edge, RestSink
from headgate.replay.sinks import Sink
from headgate.replay.steps import Step, Steps
from headgate.replay.tally import Run
from headgate.streams.bus import Bus
from headgate.streams.commands import Mode
from headgate.streams.errors import HeadgateError, Unavailable
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables.postgres import Postgres

CLIENT_ID = "headgate-replay"
End = Literal["whole", "stopped", "cut off"]
T = TypeVar("T")


class Stopped(HeadgateError):
    """A signal, or a stop that was asked for in the run's row, ended what was under way."""


@contextmanager
def signals(stop: Callable[[], None]) -> Iterator[None]:
    """While the block runs, Ctrl-C and SIGTERM stop what it does instead of the process."""
    loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


class Heed:
    """Runs what ends at once when somebody wants the run to stop."""

    def __init__(self) -> None:
        self._work: asyncio.Task[Any] | None = None
        self._told = False

    def stop(self) -> None:
        """End what is under way, and whatever is begun after it."""
        self._told = True
        if self._work is not None:
            self._work.cancel()

    async def ended(self, work: Coroutine[Any, Any, T]) -> T:
        """What comes of the work. Raises Stopped, and what the work does."""
        task: asyncio.Task[T] = asyncio.create_task(work)
        self._work = task
        try:
            if self._told:
                task.cancel()
            await asyncio.wait({task})
        finally:
            task.cancel()
            self._work = None
        if task.cancelled():
            raise Stopped("it was told to stop")
        return task.result()


@asynccontextmanager
async def heeding(row: RunRow, journal: Journal) -> AsyncIterator[Heed]:
    """While the block runs, its row and journal are kept, and signals and the row's stop heeded."""
    heed = Heed()
    with signals(heed.stop):
        async with kept(row, journal, heed.stop):
            yield heed


@dataclass(frozen=True, slots=True)
class Sitting:
    """Everything that sending needs."""

    options: Options
    run: Run
    source: Source
    outlook: Outlook
    journal: Journal
    began_ms: int
    settings: Settings
    """Of the namespace that decides."""

    async def send(self, postgres: Postgres, heed: Heed) -> tuple[End, str]:
        """Send what is not done with, until the end, a stop, or a dependency that stays away; how
        it ended, and why before the end. What was in flight then is sent again later, under the
        same keys."""
        try:
            await heed.ended(self._send(postgres))
        except Stopped as stopped:
            return "stopped", str(stopped)
        except (CutOff, Unavailable) as cut:
            return "cut off", str(cut)
        return "whole", ""

    async def _send(self, postgres: Postgres) -> None:
        if not self.options.plays_for_somebody:
            await self._send_raw()
            return
        sink = await self._sink(postgres)
        try:
            pace = self.options.pace(self.outlook.first_at_ms)
            tally, limits = self.run.tally, self.options.limits
            sender = Sender(sink, pace, tally, self.journal, self.began_ms, limits)
            await sender.send(self._steps(), self.outlook.first_at_ms)
        finally:
            await sink.close()

    async def _steps(self) -> AsyncGenerator[Step, None]:
        """The source's, once or again and again."""
        for turn in itertools.count() if self.options.turns else (0,):
            async with aclosing(aiter(Steps(self.source, self.outlook, turn))) as steps:
                async for step in steps:
                    yield step

    async def _sink(self, postgres: Postgres) -> Sink:
        sandbox = self.run.sandbox
        if self.options.sink == "commands" and sandbox is not None:
            bus = Bus.of(self.settings, CLIENT_ID)
            await bus.start()
            fresh = FreshIds(self.run.run_id, sandbox.merchant_id)
            return CommandsSink(self.settings, bus, postgres, fresh)
        return RestSink(self._edge(), self._ids(), self.run.tally)

    def _edge(self) -> Edge:
        key, secret = "", ""
        if self.run.sandbox is not None:
            key, secret = self.run.sandbox.key, self.run.sandbox.secret
        return Edge.at(self.run.edge or "", key, secret)

    def _ids(self) -> Ids:
        if self.run.sandbox is None:
            return RecordedIds("")
        merchant_id = self.run.sandbox.merchant_id
        mode: Mode = "live" if self.run.sandbox.key.startswith("key_live") else "test"
        if self.options.same_ids:
            return RecordedIds(merchant_id, mode)
        return FreshIds(self.run.run_id, merchant_id, mode)

    async def _send_raw(self) -> None:
        if self.options.topic is not None:
            check_topic(self.options.topic, self.settings, self.options.allowed)
        topic = self.options.topic or PAYMENT_COMMANDS.full_name(self.settings)
        partitions = await partitions_of(self.settings, topic)
        if not partitions:
            raise WrongOptions(
                f"there is no topic {topic} on Kafka at {self.settings.kafka}; name one that is"
                " there, or make it first"
            )
        bus, target = Bus.of(self.settings, CLIENT_ID), into(topic, partitions)
        await bus.start()
        try:
            pace = self.options.pace(self.outlook.first_at_ms)
            sender = RawSender(bus, target, pace, self.run.tally, self.journal, self.options.limits)
            await sender.send(self.source, self._wanted())
        finally:
            await bus.stop()

    def _wanted(self) -> Callable[[Recorded], bool]:
        if self.options.repeats_log:
            return is_command
        return lambda _record: True


def is_command(record: Recorded) -> bool:
    """Whether this is a command that can be read; of others nobody here knows whose they are."""
    return record.topic == PAYMENT_COMMANDS.name and command_of(record) is not None
