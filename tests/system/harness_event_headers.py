"""Reads whole topics with their headers, and what every record of them must say of itself."""

from __future__ import annotations

import re
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from headgate.streams.settings import Settings
from headgate.streams.topics import Topic

ALWAYS = ("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type")
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
Found = dict[str, list[ConsumerRecord]]

MEDIA_TYPES = ("application/json", "application/octet-stream")


async def everything(
    settings: Settings, topics: Iterable[Topic]
) -> dict[str, list[ConsumerRecord]]:
    """All records that the topics hold now, by the topic's name without the namespace."""
    names = {topic.full_name(settings): topic.name for topic in topics}
    found: Found = {name: [] for name in names.values()}
    parts = [TopicPartition(name, part) for name in names for part in range(settings.partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        ends = await consumer.end_offsets(parts)
        while any([await consumer.position(part) < end for part, end in ends.items()]):
            for part, records in (await consumer.getmany(timeout_ms=200)).items():
                found[names[part.topic]] += records
    finally:
        await consumer.stop()
    return found


def wrong_with(record: ConsumerRecord) -> list[str]:
    """What a record's CloudEvents attributes lack."""
    where = f"{record.topic}/{record.partition}@{record.offset}"
    names = [name for name, _ in record.headers]
    said = {name: value.decode() for name, value in record.headers}
    wrong = [f"{name} is missing" for name in ALWAYS if not said.get(name)]
    wrong += [f"{name} comes twice" for name in set(names) if names.count(name) > 1]
    if not wrong:
        if said["ce_specversion"] != "1.0":
            wrong.append(f"ce_specversion is {said['ce_specversion']}")
        if not RFC_3339.fullmatch(said["ce_time"]):
            wrong.append(f"ce_time is {said['ce_time']}")
        if said["content-type"] not in MEDIA_TYPES:
            wrong.append(f"content-type is {said['content-type']}")
    return [f"{where}: {one}" for one in wrong]


def told_differently(records: Iterable[ConsumerRecord]) -> list[str]:
    """Occurrences, by `ce_source` and `ce_id`, that two records tell of in different words."""
    first: dict[tuple[bytes, bytes], tuple[object, ...]] = {}
    wrong = []
    for record in records:
        said = dict(record.headers)
        occurrence = (said["ce_source"], said["ce_id"])
        words = (said["ce_type"], said["ce_time"], said.get("ce_dataschema"), record.value)
        if first.setdefault(occurrence, words) != words:
            wrong.append(f"{occurrence}: {words} after {first[occurrence]}")
    return wrong
