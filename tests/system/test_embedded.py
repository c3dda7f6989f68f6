"""The embedded servers: they answer, survive a kill with their data, and leave nothing behind."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis

from headgate.embedded import kafka, postgres, process, redis
from headgate.embedded.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


async def test_all_three_answer_in_their_own_protocol(stack: Stack) -> None:
    assert await kafka.probe(stack.kafka) == ""
    assert await redis.probe(stack.redis) == ""
    assert await postgres.probe(stack.postgres) == ""


async def test_redis_keeps_what_it_acknowledged_00_a4(stack: Stack) -> None:
    client = Redis.from_url(stack.redis, decode_responses=True)
    async with client:
        assert await client.config_get("appendonly", "appendfsync", "maxmemory-policy") == {
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
        }


async def test_a_killed_server_comes_back_on_its_port_with_its_data(own_stack: Stack) -> None:
    await write(own_stack)
    before = own_stack.addresses
    for role in ("postgres", "redis", "kafka"):
        await asyncio.to_thread(own_stack.restart, role)
    assert own_stack.addresses == before
    assert await written(own_stack) == ("kept", "kept", b"kept")


async def test_a_frozen_server_is_seen_and_thaws(stack: Stack) -> None:
    stack.freeze("redis")
    try:
        assert "no answer" in await redis.probe(stack.redis)
    finally:
        stack.thaw("redis")
    assert await redis.probe(stack.redis) == ""


async def test_nothing_is_left_after_a_stop(own_stack: Stack) -> None:
    families = [(pid, process.born(pid)) for pid in map(own_stack.pid, ("kafka", "redis"))]
    folder: Path = own_stack.state_dir
    await asyncio.to_thread(own_stack.stop)
    assert not any(process.alive(*each) for each in families)
    assert not await asyncio.to_thread(folder.exists)


async def write(stack: Stack) -> None:
    """One value in each of the three."""
    connection = await asyncpg.connect(stack.postgres)
    await connection.execute("CREATE TABLE t (value text)")
    await connection.execute("INSERT INTO t VALUES ('kept')")
    await connection.close()
    async with Redis.from_url(stack.redis) as client:
        await client.set("value", "kept")
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    await admin.create_topics([NewTopic("t", 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka, acks="all")
    await producer.start()
    await producer.send_and_wait("t", b"kept", partition=0)
    await producer.stop()


async def written(stack: Stack) -> tuple[object, object, object]:
    """The three values."""
    connection = await asyncpg.connect(stack.postgres)
    row = await connection.fetchval("SELECT value FROM t")
    await connection.close()
    async with Redis.from_url(stack.redis, decode_responses=True) as client:
        value = await client.get("value")
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.kafka)
    await consumer.start()
    consumer.assign([TopicPartition("t", 0)])
    await consumer.seek_to_beginning()
    record = await asyncio.wait_for(consumer.getone(), 10)
    await consumer.stop()
    return row, value, record.value
