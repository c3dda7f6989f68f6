"""A merchant's server in this process, that answers as it is told and remembers what came."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Receiver:
    """Answers every POST with the status that `answer` gives for its `webhook-id`."""

    answer: Callable[[str], int] = lambda _: 200
    posts: list[tuple[str, int]] = field(default_factory=list)
    """`webhook-id` and the status that it got, in their order."""
    port: int = 0
    under_way_most: int = 0
    """The most requests at a time."""
    _under_way: int = 0

    @property
    def accepted(self) -> set[str]:
        """The events that were answered with success."""
        return {event for event, status in self.posts if status == 200}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                self._under_way += 1
                self.under_way_most = max(self.under_way_most, self._under_way)
                lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
                await reader.readexactly(int(lines["content-length"]))
                await asyncio.sleep(0)
                status = self.answer(lines["webhook-id"])
                self.posts.append((lines["webhook-id"], status))
                self._under_way -= 1
                writer.write(b"HTTP/1.1 %d Said\r\ncontent-length: 2\r\n\r\nok" % status)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving(answer: Callable[[str], int] = lambda _: 200) -> AsyncIterator[Receiver]:
    """A receiver on a port of its own."""
    receiver = Receiver(answer)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver
