"""A fresh namespace on the stack for one scenario, and the questions that scenarios ask it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from headgate.embedded.stack import Stack
from headgate.streams.declare import declare
from headgate.streams.errors import TopicsDiffer
from headgate.streams.settings import Settings
from headgate.tables.migrate import migrate

PARTITIONS = 4
POLL_S = 0.1
DECLARE_TRIES_MAX = 10


@dataclass(frozen=True)
class Place:
    """One namespace: its settings, and the environment that gives a process the same ones."""

    settings: Settings
    environment: dict[str, str]

    async def rows(self, sql: str, *arguments: object) -> Sequence[asyncpg.Record]:
        """What PostgreSQL answers in this namespace's schema."""
        connection = await asyncpg.connect(
            self.settings.postgres,
            timeout=10,
            command_timeout=60,
            server_settings={"search_path": self.settings.schema_name},
        )
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()

    async def number(self, sql: str, *arguments: object) -> int:
        """The one number that PostgreSQL answers."""
        return int((await self.rows(sql, *arguments))[0][0])

    async def owners(self, topic: str) -> dict[int, str]:
        """Which process (instance id and incarnation) last claimed each partition."""
        rows = await self.rows("select partition, owner from claims where topic = $1", topic)
        return {row["partition"]: row["owner"] for row in rows}


def _settings(environment: dict[str, str]) -> Settings:
    """The settings that a process with this environment reads."""
    named = {
        name.removeprefix("HEADGATE_").lower(): value
        for name, value in environment.items()
        if name not in ("PATH", "HOME")
    }
    return Settings.model_validate(named)


@asynccontextmanager
async def opened(stack: Stack, **changes: str) -> AsyncIterator[Place]:
    """A namespace with topics and schema, gone afterwards; `changes` go into its environment."""
    environment = stack.environment(f"c{secrets.token_hex(5)}")
    environment |= {"HEADGATE_PARTITIONS": str(PARTITIONS), **changes}
    place = Place(_settings(environment), environment)
    await migrate(place.settings)
    await _declare(place.settings)
    try:
        yield place
    finally:
        await _forget(place)


async def _declare(settings: Settings) -> None:
    """Several namespaces at once make Kafka slower to show its topics than `declare` waits."""
    for tries in range(1, DECLARE_TRIES_MAX + 1):
        try:
            await declare(settings)
        except TopicsDiffer:
            if tries == DECLARE_TRIES_MAX:
                raise
        else:
            return


async def _forget(place: Place) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=place.settings.kafka)
    await admin.start()
    try:
        names = await admin.list_topics()
        await admin.delete_topics([n for n in names if n.startswith(place.settings.prefix)])
    finally:
        await admin.close()
    await place.rows(f"drop schema {place.settings.schema_name} cascade")


async def holds(condition: Callable[[], Awaitable[bool]], within_s: float) -> bool:
    """Whether the condition came true within the time."""
    end = time.monotonic() + within_s
    while not await condition():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(POLL_S)
    return True


async def until(condition: Callable[[], Awaitable[bool]], within_s: float, what: str) -> None:
    """Wait until the condition holds. Fails with `what` when it does not within the time."""
    assert await holds(condition, within_s), f"within {within_s:g} s it did not come to: {what}"
