"""Numbered requests over many connections: as fast as answers come, or at a steady rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.client import Answer, Connection

RETRY_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, over how many connections."""

    host: str
    port: int
    connections: int


@dataclass(frozen=True, slots=True)
class Sample:
    """How one request went: its last answer, the time from its first try to it, its tries."""

    number: int
    answer: Answer | None
    seconds: float
    tries: int

    @property
    def accepted(self) -> bool:
        """Whether the last answer was a 2xx."""
        return self.answer is not None and 200 <= self.answer.status < 300


Make = Callable[[int], bytes]


class Load:
    """One run. With `patience_s` a request that failed, or was answered 5xx, is sent again,
    byte for byte, until it succeeds or that time is over: what a careful client does."""

    def __init__(
        self,
        target: Target,
        make: Make,
        *,
        rate: float | None = None,
        patience_s: float = 0,
        open_loop: bool = False,
    ) -> None:
        """In an `open_loop` time counts from when a request was due, so that one that had to wait
        for a free connection does not look quick."""
        self._target = target
        self._make = make
        self._rate = rate
        self._patience_s = patience_s
        self._open_loop = open_loop
        self.samples: list[Sample] = []

    async def run(self, numbers: Sequence[int]) -> list[Sample]:
        """Send the requests of these numbers, each once (or until it succeeds)."""
        queue = iter(list(enumerate(numbers)))
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(self._target.connections):
                group.create_task(self._send(queue, began))
        return self.samples

    async def _send(self, queue: Iterator[tuple[int, int]], began: float) -> None:
        connection = Connection(self._target.host, self._target.port)
        for place, number in queue:
            due = time.perf_counter()
            if self._rate:
                due = began + place / self._rate
                await asyncio.sleep(due - time.perf_counter())
            since = due if self._open_loop else time.perf_counter()
            self.samples.append(await self._insist(connection, number, since))
        connection.close()

    async def _insist(self, connection: Connection, number: int, began: float) -> Sample:
        request, tries = self._make(number), 0
        while True:
            tries += 1
            answer: Answer | None = None
            try:
                answer = await connection.ask(request)
            except (OSError, TimeoutError):
                connection.close()
            seconds = time.perf_counter() - began
            if (answer is not None and answer.status < 500) or seconds >= self._patience_s:
                return Sample(number, answer, seconds, tries)
            await asyncio.sleep(RETRY_PAUSE_S)


def percentile(seconds: Sequence[float], share: float) -> float:
    """The value that `share` of all stay at or below; 0 when there are none."""
    ordered = sorted(seconds)
    return ordered[round(share * (len(ordered) - 1))] if ordered else 0.0
