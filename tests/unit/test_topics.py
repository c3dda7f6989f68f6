"""The table of topics says what 00 §5 says, in every namespace."""

from __future__ import annotations

import pytest

from headgate.streams.settings import Settings
from headgate.streams.topics import (
    FOREVER,
    SOURCES,
    TIERS,
    WEBHOOKS_ATTEMPTS,
    Topic,
    all_topics,
    dead_letters_of,
)
from headgate.tables import deliveries
from headgate.tables.notices import Hold, notice
from tests.unit.deliver_setting import WANTED

DAY_MS = 86_400_000
LIVE = Settings()


def named(name: str, settings: Settings = LIVE) -> Topic:
    return next(topic for topic in all_topics(settings) if topic.full_name(settings) == name)


@pytest.mark.parametrize(
    ("name", "key", "retention_ms"),
    [
        ("payments.commands", "payment_id", FOREVER),
        ("payments.facts", "payment_id", FOREVER),
        ("acquirer.requests", "payment_id", 7 * DAY_MS),
        ("webhooks.ready", "endpoint_id", 7 * DAY_MS),
        ("webhooks.attempts", "delivery_id", 90 * DAY_MS),
        ("webhooks.events", "merchant_id", 90 * DAY_MS),
        ("payments.commands.dead", "payment_id", 90 * DAY_MS),
        ("delay.24h", "as the target", 8 * DAY_MS),
    ],
)
def test_topics_are_keyed_and_kept_as_ruled(name: str, key: str, retention_ms: int) -> None:
    topic = named(name)
    assert (topic.key, topic.retention_ms) == (key, retention_ms)


def test_attempts_are_keyed_and_partitioned_as_the_table_says() -> None:
    outcome = deliveries.answered(200, None, 1)
    made = deliveries.attempt_made(WANTED, outcome, deliveries.Trace(1, 1), None)
    told = deliveries.made_record(made, LIVE)
    noted = notice(WANTED, "held", "open", Hold(1, 42), 1, LIVE)
    lane = deliveries.ready(WANTED, LIVE).partition
    for record in (told, noted):
        topic = named(record.topic)
        assert (topic, record.partition) == (WEBHOOKS_ATTEMPTS, lane)
        assert record.key.decode() == getattr(WANTED, topic.key)


def test_every_source_has_its_dead_letters_and_every_delay_its_topic() -> None:
    names = {topic.name for topic in all_topics(LIVE)}
    assert {dead_letters_of(topic).name for topic in SOURCES} <= names
    assert {f"delay.{tier.label}" for tier in TIERS} <= names
    assert len(names) == len(all_topics(LIVE))


def test_sources_are_never_compacted_and_only_the_changelog_is() -> None:
    compacted = [topic for topic in all_topics(LIVE) if topic.compacted]
    assert [topic.full_name(LIVE) for topic in compacted] == [
        "headgate-settle-open_payments-changelog"
    ]
    assert compacted[0].configuration(LIVE)["cleanup.policy"] == "compact"
    assert all(topic.configuration(LIVE)["cleanup.policy"] == "delete" for topic in SOURCES)


def test_a_namespace_prefixes_every_topic_and_meets_no_other() -> None:
    replay = Settings(namespace="replay")
    theirs = {topic.full_name(replay) for topic in all_topics(replay)}
    assert all(name.startswith("replay.") for name in theirs)
    assert "replay.headgate-settle-open_payments-changelog" in theirs
    assert not theirs & {topic.full_name(LIVE) for topic in all_topics(LIVE)}


def test_the_configuration_is_what_kafka_is_told() -> None:
    settings = Settings(min_insync_replicas=2)
    assert named("acquirer.requests").configuration(settings) == {
        "cleanup.policy": "delete",
        "retention.ms": "604800000",
        "min.insync.replicas": "2",
        "message.timestamp.type": "CreateTime",
    }
