"""Where replies arrive: settle tells this process what it decided, as soon as it is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import redis.asyncio
import structlog
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from headgate.streams import ids
from headgate.streams.settings import Settings
from headgate.tables.replies import Reply, decoded, reply_channel

log = structlog.get_logger(__name__)

LISTEN_S = 5.0
"""How long one look for a message lasts; a dead connection shows at its end."""
AGAIN_S = 0.5
"""How long after a failure the next try to listen begins."""


class Inbox:
    """One subscription for the whole process. What it misses is read from PostgreSQL."""

    def __init__(self, settings: Settings) -> None:
        self.name = ids.draw_id("edge_")
        """What commands carry as `reply_to`."""
        self.listening = False
        self._channel = settings.redis_prefix + reply_channel(self.name)
        self._url = settings.redis
        self._expected: dict[str, asyncio.Future[Reply]] = {}
        self._waiting: dict[str, int] = {}

    @contextmanager
    def expecting(self, command_id: str) -> Iterator[None]:
        """Take the reply to this command in, for as long as the block runs."""
        if command_id not in self._expected:
            self._expected[command_id] = asyncio.get_running_loop().create_future()
        self._waiting[command_id] = self._waiting.get(command_id, 0) + 1
        try:
            yield
        finally:
            self._waiting[command_id] -= 1
            if not self._waiting[command_id]:
                del self._waiting[command_id], self._expected[command_id]

    def expects(self, command_id: str) -> bool:
        """Whether the reply to a command would be heard."""
        return self.listening and command_id in self._expected

    async def reply(self, command_id: str, wait_s: float) -> Reply | None:
        """The reply to a command that is expected, None when none came within the time."""
        expected = self._expected.get(command_id)
        if expected is None:
            await asyncio.sleep(wait_s)
            return None
        await asyncio.wait({expected}, timeout=wait_s)
        return expected.result() if expected.done() else None

    async def run(self) -> None:
        """Listen for ever."""
        client = redis.asyncio.Redis.from_url(
            self._url, socket_timeout=None, health_check_interval=int(LISTEN_S)
        )
        try:
            while True:
                try:
                    await self._listen(client.pubsub(ignore_subscribe_messages=True))
                except (RedisError, OSError, TimeoutError) as error:
                    log.info("no replies", reason=repr(error))
                self.listening = False
                await asyncio.sleep(AGAIN_S)
        finally:
            await client.aclose()

    async def _listen(self, subscription: PubSub) -> None:
        async with subscription:
            await subscription.subscribe(self._channel)
            self.listening = True
            while True:
                message = await subscription.get_message(timeout=LISTEN_S)
                if message is not None:
                    self._take(decoded(message["data"]))

    def _take(self, reply: Reply) -> None:
        expected = self._expected.get(reply.command_id)
        if expected is not None and not expected.done():
            expected.set_result(reply)
