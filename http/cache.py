"""Redis, typed: scripts and fields, each within a bounded wait, and one error when it is away."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TypeAlias, cast

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from headgate.streams.errors import CacheUnavailable
from headgate.streams.settings import Settings

Reply: TypeAlias = bytes | int | None
Argument: TypeAlias = bytes | str | int


class Script:
    """A Lua script that stands beside this file."""

    def __init__(self, name: str) -> None:
        self.text = files("headgate.http").joinpath(name).read_text()
        # How Redis names scripts; nothing is protected by it.
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Cache:
    """One Redis. Nothing is tried twice: a script that was cut off may have run."""

    def __init__(self, settings: Settings) -> None:
        self._wait_s = settings.redis_wait_ms / 1000
        self._prefix = settings.redis_prefix
        self._client = redis.asyncio.Redis.from_url(
            settings.redis,
            socket_timeout=None,  # Our own limit covers connecting, sending and the answer.
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )

    def name(self, key: str) -> str:
        """The full name of a key: all of a namespace's keys share one hash slot."""
        return self._prefix + key

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._wait_s):
                yield
        except (RedisError, OSError, TimeoutError) as error:
            raise CacheUnavailable(f"Redis is away: {type(error).__name__}: {error}") from error

    async def run(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> list[Reply]:
        """Run a script that gives a flat list. Raises CacheUnavailable."""
        names = [self._prefix + key for key in keys]
        async with self._bounded():
            try:
                call = self._client.evalsha(script.sha, len(names), *names, *map(_raw, arguments))
                return cast("list[Reply]", await call)
            except NoScriptError:  # A Redis that was started anew; nothing of it has run.
                call = self._client.eval(script.text, len(names), *names, *map(_raw, arguments))
                return cast("list[Reply]", await call)

    async def fields(self, key: str, names: Sequence[str]) -> list[bytes | None]:
        """Fields of a hash, None for each that is not there. Raises CacheUnavailable."""
        async with self._bounded():
            call = self._client.hmget(self._prefix + key, list(names))
            return cast("list[bytes | None]", await call)

    async def has_field(self, key: str, name: str) -> bool:
        """Whether a hash has a field. Raises CacheUnavailable."""
        async with self._bounded():
            call = self._client.hexists(self._prefix + key, name)
            return bool(await call)

    async def values(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values of keys, None for each that is not there. Raises CacheUnavailable."""
        async with self._bounded():
            return cast("list[bytes | None]", await self._client.mget(map(self.name, keys)))

    async def keep(self, key: str, value: bytes, for_s: int) -> None:
        """Set a key that goes by itself. Raises CacheUnavailable."""
        async with self._bounded():
            await self._client.set(self._prefix + key, value, ex=for_s)

    async def ping(self) -> None:
        """Raises CacheUnavailable unless Redis answers."""
        async with self._bounded():
            await self._client.ping()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _raw(argument: Argument) -> str:
    """The declared type of script arguments is text, but bytes go through as they are."""
    return cast("str", argument)
