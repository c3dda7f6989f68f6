"""Applies every fact of Headgate to a database, each once. `pip install confluent-kafka`."""

import json
import os
import sqlite3
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

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


def main() -> None:
    """Read for ever; every instance of one service has the same group."""
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ.get("KAFKA", "127.0.0.1:9092"),
            "group.id": "example-confluent",
            "auto.offset.reset": "earliest",  # A new group begins with the first fact there is.
            "enable.auto.commit": False,
            "session.timeout.ms": 10_000,  # So long are a dead instance's partitions without one.
        }
    )
    topic = os.environ.get("TOPIC", "payments.facts")
    consumer.subscribe([topic])
    try:
        while True:
            records = consumer.consume(num_messages=500, timeout=0.2)
            with database:
                for record in records:
                    if record.error():
                        raise KafkaException(record.error())
                    apply(json.loads(record.value()))
            # Only now, and by name: without, it is what was read when the commit leaves, later.
            ends = {record.partition(): record.offset() + 1 for record in records}
            if ends:
                consumer.commit(offsets=[TopicPartition(topic, *end) for end in ends.items()])
    finally:
        consumer.close()


main()
