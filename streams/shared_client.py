"""A client of Kafka that many questions share: opened when needed, and anew after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from headgate.streams.connection import AWAY

CLOSE_WAIT_S = 2.0
"""How long the closing of a connection may take."""


class Client(Protocol):
    """What aiokafka's consumer and admin client have in common."""

    async def start(self) -> None:
        """Connect; raises one of `AWAY`."""


C = TypeVar("C", bound=Client)
T = TypeVar("T")


async def stopped(stopping: Awaitable[None]) -> None:
    """Wait until a connection is closed, for a bounded time.

    aiokafka's consumer cancels its own fetches when it stops, and one that waits for its next try
    lets that out as if the caller had been cancelled. Only the caller's own cancellation goes on.
    """
    task = asyncio.current_task()
    try:
        async with asyncio.timeout(CLOSE_WAIT_S):
            await stopping
    except AWAY:
        return
    except asyncio.CancelledError:
        if task is not None and task.cancelling():
            raise


class SharedClient(Generic[C]):
    """A client that is opened when first needed, and anew after a failure."""

    def __init__(self, make: Callable[[], C], stop: Callable[[C], Awaitable[None]]) -> None:
        self._make = make
        self._stop = stop
        self._client: C | None = None
        self._opening = asyncio.Lock()

    async def ask(self, question: Callable[[C], Awaitable[T]]) -> T:
        """The answer; raises one of `AWAY`."""
        client = await self._open()
        try:
            return await question(client)
        except BaseException:
            await self._drop(client)
            raise

    async def _open(self) -> C:
        async with self._opening:
            if self._client is None:
                client = self._make()
                try:
                    await client.start()
                except BaseException:
                    await stopped(self._stop(client))
                    raise
                self._client = client
            return self._client

    async def _drop(self, client: C) -> None:
        """Close a client that failed, unless another asker has done it."""
        if self._client is client:
            self._client = None
            await stopped(self._stop(client))

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._client is not None:
            await self._drop(self._client)
