"""Commands as the outbox in Redis keeps them."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from headgate.streams.bus import Record


class Entry(NamedTuple):
    """A record that waits for the log, and the key that it was asked under."""

    record: Record
    key_id: str


def packed(entry: Entry) -> bytes:
    """An entry in Redis: where it goes in one line, then its value as it is."""
    record, key_id = entry
    headers = [(name, value.decode()) for name, value in record.headers]
    key = record.key.decode()
    place = (record.topic, record.partition, key, record.timestamp_ms, headers, key_id)
    return orjson.dumps(place) + b"\n" + (record.value or b"")


def unpacked(raw: bytes) -> Entry:
    """The entry behind what Redis has. One of an older version is a create, whose key is its
    payment's id."""
    place, _, value = raw.partition(b"\n")
    topic, partition, key, at_ms, headers, *more = orjson.loads(place)
    pairs = tuple((name, text.encode()) for name, text in headers)
    record = Record(topic, partition, key.encode(), value, pairs, at_ms)
    return Entry(record, more[0] if more else key)
