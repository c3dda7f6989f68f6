"""Applies every fact of Headgate to a database, each once. To be copied: `pip install aiokafka`."""

import asyncio
import contextlib
import json
import os
import sqlite3
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError, IllegalStateError

LIVEMODE = False  # True in production: the payments of test keys are on the same topic.
TABLES = """
CREATE TABLE IF NOT EXISTS payments (id TEXT PRIMARY KEY, sequence INT DEFAULT 0, status TEXT);
CREATE TABLE IF NOT EXISTS shipments (payment_id TEXT, amount INT);"""
SEEN = """INSERT INTO payments (id) VALUES (?)
ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING sequence"""  # It locks the row as well.

database = sqlite3.connect(os.environ.get("DATABASE", "payments.db"), timeout=30)
database.executescript(TABLES)


def apply(fact: dict[str, Any]) -> None:
    """The fact's effect and its sequence; they are committed together, or not at all."""
    if fact["v"] != 1:
        raise ValueError(f"{fact['id']} has version {fact['v']}; this was written for 1")
    if fact["livemode"] != LIVEMODE:
        return
    payment, sequence = fact["data"]["payment"], fact["sequence"]
    (seen,) = database.execute(SEEN, [payment["id"]]).fetchone()
    if sequence <= seen:
        return  # A repeat.
    if sequence > seen + 1:
        raise ValueError(f"{payment['id']}: {sequence} came after {seen}; read from the beginning")
    values = [sequence, payment["status"], payment["id"]]
    database.execute("UPDATE payments SET sequence = ?, status = ? WHERE id = ?", values)
    if fact["type"] == "payment.success":  # Other types, also ones you have never heard of, count.
        database.execute("INSERT INTO shipments VALUES (?, ?)", [payment["id"], payment["amount"]])


async def main() -> None:
    """Read for ever; every instance of one service has the same group."""
    async with AIOKafkaConsumer(
        os.environ.get("TOPIC", "payments.facts"),
        bootstrap_servers=os.environ.get("KAFKA", "127.0.0.1:9092"),
        group_id="example-aiokafka",
        auto_offset_reset="earliest",  # A new group begins with the first fact there is.
        enable_auto_commit=False,
    ) as consumer:
        while True:
            batches = await consumer.getmany(timeout_ms=1000)
            with database:
                for record in (record for records in batches.values() for record in records):
                    apply(json.loads(record.value))
            # Only now. Who gets the partitions after a failure sees repeats, never less.
            with contextlib.suppress(CommitFailedError, IllegalStateError):
                await consumer.commit()


asyncio.run(main())
