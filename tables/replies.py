"""Replies: what settle decided, told to the edge whose request waits (08 R16)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson
import redis.asyncio
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from headgate.streams.commands import ClientCommand, Command
from headgate.streams.settings import Settings
from headgate.tables.decided import Decided
from headgate.tables.store import Operation

log = structlog.get_logger(__name__)

KEPT_S = 60
"""How long a reply can be fetched by whoever missed it."""
WAITING_MAX = 2000
"""Replies that wait to be told; beyond it the oldest are dropped, and edges ask PostgreSQL."""
BATCH_MAX = 200
TELL_WAIT_S = 0.05
"""How long Redis may take for one batch of replies."""
PAUSE_S = 1.0
"""How long nothing is told after Redis was away."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A client's command and what was decided about it."""

    command_id: str
    merchant_id: str
    mode: str
    type: str
    payment_id: str
    fingerprint: str
    request_id: str
    refusal: str | None
    partition: int
    offset: int
    result: bytes


def reply_key(command_id: str) -> str:
    """Where a reply can be fetched for a while."""
    return f"reply:{command_id}"


def reply_channel(edge: str) -> str:
    """Where an edge listens for its replies."""
    return f"replies:{edge}"


def encoded(reply: Reply) -> bytes:
    """A reply as Redis carries it: all but the result in one line, then the result as it is."""
    return orjson.dumps([getattr(reply, name) for name in _HEAD]) + b"\n" + reply.result


def decoded(raw: bytes) -> Reply:
    """The reply behind what Redis carried."""
    head, _, result = raw.partition(b"\n")
    return Reply(**dict(zip(_HEAD, orjson.loads(head), strict=True)), result=result)


_HEAD = tuple(name for name in Reply.__slots__ if name != "result")


def _reply(command: Command, decided: Decided | Operation) -> tuple[str, Reply] | None:
    """The edge that waits for this command, and what was decided about it, perhaps when it was
    asked for the first time; None where none waits."""
    if not isinstance(command, ClientCommand) or command.reply_to is None:
        return None
    if decided.result is None:
        return None
    return command.reply_to, Reply(
        command_id=command.command_id,
        merchant_id=command.merchant_id,
        mode=command.mode,
        type=command.type,
        payment_id=command.payment_id,
        fingerprint=decided.fingerprint or "",
        request_id=decided.request_id or "",
        refusal=decided.refusal,
        partition=decided.partition,
        offset=decided.offset,
        result=decided.result,
    )


class Replies:
    """Tells replies beside the settle loop: best effort, bounded, and never waited for. An edge
    that hears nothing reads `operations`."""

    def __init__(self, settings: Settings) -> None:
        self._prefix = settings.redis_prefix
        self._waiting: deque[tuple[str, Reply]] = deque(maxlen=WAITING_MAX)
        self._some = asyncio.Event()
        self._client = redis.asyncio.Redis.from_url(
            settings.redis, socket_timeout=None, retry=Retry(NoBackoff(), 0)
        )

    def tell(self, decided: Iterable[tuple[Command, Decided | Operation]]) -> None:
        """Tell what is stored, soon, to those who wait for it."""
        for command, item in decided:
            found = _reply(command, item)
            if found is not None:
                self._waiting.append(found)
                self._some.set()

    async def run(self) -> None:
        """Tell for ever."""
        while True:
            await self._some.wait()
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
            if not self._waiting:
                self._some.clear()
            try:
                await self._publish(batch)
            except (RedisError, OSError, TimeoutError) as error:
                log.info("replies not told", count=len(batch), reason=repr(error))
                await asyncio.sleep(PAUSE_S)
                self._waiting.clear()  # Whoever waited for these has read PostgreSQL by now.

    async def _publish(self, batch: Sequence[tuple[str, Reply]]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for edge, reply in batch:
            raw = encoded(reply)
            pipeline.set(self._prefix + reply_key(reply.command_id), raw, ex=KEPT_S)
            pipeline.publish(self._prefix + reply_channel(edge), raw)
        async with asyncio.timeout(TELL_WAIT_S):
            await pipeline.execute()
