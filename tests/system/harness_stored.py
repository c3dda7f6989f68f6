"""Every byte that a namespace holds anywhere, to look for what must not be there (I16)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import redis.asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from tests.system.harness_place import Place


async def places_of(needle: str, place: Place) -> list[str]:
    """Where in Kafka, PostgreSQL and Redis the text stands; PostgreSQL shows bytes in hex."""
    wanted = (needle, needle.encode().hex())
    found: list[str] = []
    for source in (_on_the_log(place), _in_tables(place), _in_redis(place)):
        read = 0
        async for name, text in source:
            read += 1
            if any(each in text for each in wanted):
                found.append(name)
        assert read, "nothing was looked at"
    return found


async def _on_the_log(place: Place) -> AsyncIterator[tuple[str, str]]:
    """Keys, values and headers of every topic."""
    every = await _partitions(place)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=place.settings.kafka,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        consumer.assign(every)
        ends = await consumer.end_offsets(every)
        left = {tp for tp, end in ends.items() if end}
        while left:
            for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                for record in records:
                    text = f"{record.key!r} {record.value!r} {record.headers!r}"
                    yield f"{tp.topic}/{tp.partition}@{record.offset}", text
            left = {tp for tp in left if await consumer.position(tp) < ends[tp]}
    finally:
        await consumer.stop()


async def _partitions(place: Place) -> list[TopicPartition]:
    """Every partition of every topic of the namespace, changelogs included."""
    admin = AIOKafkaAdminClient(bootstrap_servers=place.settings.kafka)
    await admin.start()
    try:
        names = [n for n in await admin.list_topics() if n.startswith(place.settings.prefix)]
        return [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in await admin.describe_topics(names)
            for partition in topic["partitions"]
        ]
    finally:
        await admin.close()


async def _in_tables(place: Place) -> AsyncIterator[tuple[str, str]]:
    """Every row of every table."""
    names = await place.rows(
        "select tablename from pg_tables where schemaname = $1", place.settings.schema_name
    )
    for name in names:
        table = name["tablename"]
        for row in await place.rows(f'select t::text from "{table}" t'):  # noqa: S608  our own names
            yield f"table {table}", row["t"]


async def _in_redis(place: Place) -> AsyncIterator[tuple[str, str]]:
    """Every key with its value."""
    client: Any = redis.asyncio.Redis.from_url(place.settings.redis)
    readers = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"stream": client.xrange,
    }
    try:
        async for key in client.scan_iter(match=f"{place.settings.redis_prefix}*"):
            kind = await client.type(key)
            if kind in readers:
                yield f"redis {key!r}", f"{key!r} {await readers[kind](key)!r}"
    finally:
        await client.aclose()
