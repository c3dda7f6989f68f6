"""Starts mock brokers in processes of their own and steers them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

PRODUCE = 0
"""Number of one of Kafka's APIs, for injected errors."""

_names = count(1)


@dataclass(frozen=True)
class MockBroker:
    """A running mock broker. It keeps its data in memory; a frozen one can be thawed."""

    process: subprocess.Popen[str]
    bootstrap: str

    def do(self, order: str, **arguments: Any) -> None:
        """Carry out one order of `mock_broker.Cluster`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": order, **arguments}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert answer["result"] == 0, f"{order} {arguments} was refused with {answer}"

    def topic(self, partitions: int = 1) -> str:
        """A new topic; returns its name."""
        name = f"topic-{next(_names)}"
        self.do("topic", name=name, partitions=partitions)
        return name

    async def values(self, topic: str, partition: int = 0) -> list[bytes]:
        """All values on a partition, in order."""
        target = TopicPartition(topic, partition)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=10
        )
        await consumer.start()
        try:
            consumer.assign([target])
            end = (await consumer.end_offsets([target]))[target]
            found: list[bytes] = []
            while await consumer.position(target) < end:
                batches = await consumer.getmany(target, timeout_ms=100)
                found += [record.value for record in batches.get(target, [])]
            return found
        finally:
            await consumer.stop()

    def freeze(self) -> None:
        """Stop answering without closing any connection."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on answering."""
        os.kill(self.process.pid, signal.SIGCONT)


@contextmanager
def mock_broker() -> Iterator[MockBroker]:
    """A mock broker of one's own, for injected errors that nobody else should meet."""
    script = Path(__file__).with_name("mock_broker.py")
    with subprocess.Popen(
        [sys.executable, script, "100"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        started = json.loads(process.stdout.readline())
        yield MockBroker(process, started["bootstrap"])
        os.kill(process.pid, signal.SIGCONT)
        process.kill()
