"""Worker processes under test: started, watched by what they print, stopped and killed."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from headgate.streams.bus import Bus, Record
from tests.stream.broker import MockBroker

EVENT_LIMIT_S = 40.0
"""How long anything may take to come about."""


@dataclass
class Run:
    """One worker process and what is known of it."""

    process: Process
    client: AIOKafkaAdminClient
    group: str
    topic: str
    errors: Path
    lines: list[str] = field(default_factory=list)
    committed: int = 0
    stop_s: float = 0.0
    outputs: list[bytes] = field(default_factory=list)
    listening: list[str] = field(default_factory=list)

    @property
    def done(self) -> set[str]:
        """The values whose work was finished."""
        return {line.split()[1] for line in self.lines if line.startswith("done")}

    @property
    def code(self) -> int | None:
        """The exit code, None while it runs."""
        return self.process.returncode

    def lost(self, values: list[str]) -> list[str]:
        """What nobody finished although the group will not read it again."""
        return [value for value in values[: self.committed] if value not in self.done]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition on what it printed, or on its exit code."""
        try:
            async with asyncio.timeout(EVENT_LIMIT_S):
                while not condition():  # noqa: ASYNC110 - of any kind, so there is no one event
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise self.explained() from error

    async def until_committed(self, offset: int) -> None:
        """Wait until the group has committed up to `offset`, or past it."""
        try:
            async with asyncio.timeout(EVENT_LIMIT_S):
                while self.committed < offset:
                    await asyncio.sleep(0.05)
                    await self.look()
        except TimeoutError as error:
            raise self.explained() from error

    def explained(self) -> AssertionError:
        """A failure with what the process has said."""
        said = self.errors.read_text()[-4000:]
        return AssertionError(f"it did not come about; {self.lines}, {self.committed}\n{said}")

    async def look(self) -> None:
        """Ask the broker what is committed on the first partition."""
        target = TopicPartition(self.topic, 0)
        found = await self.client.list_consumer_group_offsets(self.group, partitions=[target])
        self.committed = max(0, found[target].offset)

    async def stop(self, how: signal.Signals, patience_s: float = 10.0) -> None:
        """Signal the process, wait for its end, kill it after `patience_s`."""
        began = time.monotonic()
        if self.code is None:
            self.process.send_signal(how)
        try:
            async with asyncio.timeout(patience_s):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        self.stop_s = time.monotonic() - began


class Stage:
    """Runs workers against one broker; kills those that are left."""

    def __init__(self, broker: MockBroker, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.bus = Bus(broker.bootstrap, timeout_ms=5000)
        self.client = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        self._processes: list[Process] = []
        self._readers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Stage:
        await self.bus.start()
        await self.client.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            if process.returncode is None:
                process.kill()
            await process.wait()
        await asyncio.gather(*self._readers)
        await self.client.close()
        await self.bus.stop()

    async def write(self, topic: str, values: Iterable[str], partition: int = 0) -> None:
        """Append values to a partition."""
        records = [Record(topic, partition, b"k", value.encode()) for value in values]
        await self.bus.publish_until_acked(records)

    async def fill(self, values: Iterable[str]) -> str:
        """A new topic with one partition that has these values."""
        topic = self.broker.topic()
        await self.write(topic, values)
        return topic

    async def worker(self, script: str, topic: str, **order: Any) -> Run:
        """Start a worker process. Its group is the topic's own unless the order names one."""
        order = {"group": topic.replace("-", "_"), "topic": topic} | order
        order |= {"bootstrap": self.broker.bootstrap, "folder": str(self.folder / topic)}
        errors = self.folder / f"{topic}-{len(self._processes)}"
        with errors.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                Path(__file__).with_name(script),
                json.dumps(order),
                stdout=PIPE,
                stderr=stderr,
            )
        run = Run(process, self.client, order["group"] + ".headgate-settle", topic, errors)
        self._processes.append(process)
        self._readers.append(asyncio.create_task(read(run)))
        return run


async def read(run: Run) -> None:
    """Collect the lines that a worker writes."""
    assert run.process.stdout is not None
    async for line in run.process.stdout:
        run.lines.append(line.decode().strip())
