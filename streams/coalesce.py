"""One round trip for everybody who asks in the same turn of the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Coalescer(Generic[T, R]):
    """Collects items and hands them to `flush` in batches, one batch in flight at a time.

    A batch takes what was submitted in one turn of the loop, or while the batch before it was in
    flight, `batch_max` items at most, in the order of submission. `flush` answers with one result
    per item, in the same order; what it raises reaches everybody in the batch. How long a flush
    may take is for `flush` to bound: an item waits for at most its own and the earlier ones.
    """

    def __init__(
        self, flush: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, batch_max: int
    ) -> None:
        self._flush = flush
        self._batch_max = batch_max
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._running: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """How many items wait for their batch to begin."""
        return len(self._waiting)

    def submit(self, item: T) -> asyncio.Future[R]:
        """The result of `item`, to be awaited; cancelling it takes nothing back."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="coalescer")
        return future

    async def drain(self, timeout_s: float) -> bool:
        """Wait until nothing is left to do; whether that came true in time."""
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=timeout_s)
        return self._running is None

    async def _run(self) -> None:
        try:
            await asyncio.sleep(0)  # Whoever is ready in this turn of the loop joins the batch.
            while self._waiting:
                size = min(len(self._waiting), self._batch_max)
                await self._answer([self._waiting.popleft() for _ in range(size)])
        finally:
            self._running = None
            for _, future in self._waiting:
                future.cancel()

    async def _answer(self, batch: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._flush([item for item, _ in batch])
            answered = list(zip(batch, results, strict=True))
        except BaseException as error:
            # The submitters are the ones to handle it. Only our own cancellation goes on.
            _fail([future for _, future in batch], error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), result in answered:
            if not future.done():
                future.set_result(result)


def _fail(futures: Sequence[asyncio.Future[R]], error: BaseException) -> None:
    for future in futures:
        if future.done():
            continue
        if isinstance(error, Exception):
            future.set_exception(error)
            future.exception()  # A submitter that has left is no reason for a warning.
        else:
            future.cancel()
