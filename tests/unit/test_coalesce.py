"""The coalescer: one flush per loop turn, order kept, failures shared, nobody left waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from headgate.streams.coalesce import Coalescer


class Recorder:
    """A flush that doubles numbers and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, items: Sequence[int]) -> list[int]:
        """Answer each number with its double once the gate is open; refuse negative ones."""
        self.batches.append(list(items))
        self.begun.set()
        await self.gate.wait()
        if any(item < 0 for item in items):
            raise ValueError("negative")
        return [2 * item for item in items]


async def test_items_of_one_loop_turn_share_one_flush() -> None:
    flush = Recorder()
    coalescer = Coalescer(flush, batch_max=10)
    assert await asyncio.gather(*(coalescer.submit(n) for n in range(5))) == [0, 2, 4, 6, 8]
    assert flush.batches == [[0, 1, 2, 3, 4]]


async def test_a_batch_holds_at_most_batch_max_items_in_order() -> None:
    flush = Recorder()
    coalescer = Coalescer(flush, batch_max=2)
    await asyncio.gather(*(coalescer.submit(n) for n in range(5)))
    assert flush.batches == [[0, 1], [2, 3], [4]]


async def test_one_flush_is_in_flight_at_a_time_and_the_next_takes_what_came_meanwhile() -> None:
    flush = Recorder()
    flush.gate.clear()
    coalescer = Coalescer(flush, batch_max=10)
    first = coalescer.submit(1)
    await flush.begun.wait()
    others = [coalescer.submit(2), coalescer.submit(3)]
    await asyncio.sleep(0)
    assert flush.batches == [[1]]
    assert len(coalescer) == 2
    flush.gate.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6]
    assert flush.batches == [[1], [2, 3]]


async def test_a_failed_flush_fails_its_batch_and_no_other() -> None:
    coalescer = Coalescer(Recorder(), batch_max=2)
    futures = [coalescer.submit(n) for n in (1, -1, 3)]
    results = await asyncio.gather(*futures, return_exceptions=True)
    assert [type(result) for result in results] == [ValueError, ValueError, int]


async def test_a_submitter_that_left_disturbs_nobody() -> None:
    coalescer = Coalescer(Recorder(), batch_max=10)
    gone, stays = coalescer.submit(1), coalescer.submit(2)
    gone.cancel()
    assert await stays == 4
    coalescer.submit(-1)  # Nobody awaits it: no warning, which would be an error here.
    assert await coalescer.drain(1)


async def test_drain_says_whether_it_ended_in_time() -> None:
    flush = Recorder()
    flush.gate.clear()
    coalescer = Coalescer(flush, batch_max=10)
    future = coalescer.submit(1)
    assert not await coalescer.drain(0.01)
    flush.gate.set()
    assert await coalescer.drain(1)
    assert future.result() == 2
