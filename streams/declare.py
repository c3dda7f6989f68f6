"""Declaring the topics on a cluster, and checking that it still has them as declared."""

from __future__ import annotations

import asyncio

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from headgate.streams.errors import LogUnavailable, TopicsDiffer
from headgate.streams.settings import Settings
from headgate.streams.topics import Topic, all_topics

CREATE_TIMEOUT_MS = 30_000
TRIES_MAX = 200
"""How often a check is repeated while the brokers still tell each other of new topics."""


class _Cluster:
    """The admin client, with our errors."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin = AIOKafkaAdminClient(
            bootstrap_servers=settings.kafka, request_timeout_ms=CREATE_TIMEOUT_MS
        )

    async def __aenter__(self) -> AIOKafkaAdminClient:
        try:
            await self._admin.start()
        except (KafkaError, OSError) as error:
            await self._admin.close()
            raise LogUnavailable(
                f"Kafka at {self._settings.kafka} does not answer: {error}"
            ) from error
        return self._admin

    async def __aexit__(self, *exc: object) -> None:
        await self._admin.close()


async def declare(settings: Settings) -> list[str]:
    """Create the topics that are missing and return their names.

    Raises TopicsDiffer when a topic exists otherwise than declared, LogUnavailable when Kafka is
    away. Partition counts are frozen: ids are mapped to partitions once and for all (08 R8).
    """
    async with _Cluster(settings) as admin:
        present = set(await admin.list_topics())
        missing = [t for t in all_topics(settings) if t.full_name(settings) not in present]
        if missing:
            await _create(admin, missing, settings)
    problems = await check(settings)
    for _ in range(TRIES_MAX):
        if not problems:
            return [topic.full_name(settings) for topic in missing]
        await asyncio.sleep(0.1)
        problems = await check(settings)
    raise TopicsDiffer("; ".join(problems))


async def _create(admin: AIOKafkaAdminClient, missing: list[Topic], settings: Settings) -> None:
    response = await admin.create_topics(
        [
            NewTopic(
                topic.full_name(settings),
                settings.partitions,
                settings.replication_factor,
                topic_configs=topic.configuration(settings),
            )
            for topic in missing
        ],
        timeout_ms=CREATE_TIMEOUT_MS,
    )
    for name, code, *rest in response.topic_errors:
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise TopicsDiffer(f"{name} could not be created: {rest[0] if rest else code}")


async def check(settings: Settings) -> list[str]:
    """What differs between the cluster and the table of topics, one sentence each."""
    wanted = {topic.full_name(settings): topic for topic in all_topics(settings)}
    async with _Cluster(settings) as admin:
        described = {entry["topic"]: entry for entry in await admin.describe_topics(list(wanted))}
        found = {name: len(entry["partitions"]) for name, entry in described.items()}
        configurations = await _configurations(admin, [n for n in wanted if found.get(n)])
    problems = []
    for name, topic in wanted.items():
        if not found.get(name):
            problems.append(f"{name} is missing: run `headgate topics`")
        elif found[name] != settings.partitions:
            problems.append(
                f"{name} has {found[name]} partitions, {settings.partitions} are declared: the "
                "count is frozen, set HEADGATE_PARTITIONS back or start a new namespace"
            )
        else:
            problems += _differences(name, topic, configurations.get(name, {}), settings)
    return problems


async def _configurations(
    admin: AIOKafkaAdminClient, names: list[str]
) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(asked):
        for _, _, _, name, entries in response.resources:
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def _differences(name: str, topic: Topic, found: dict[str, str], settings: Settings) -> list[str]:
    """A source that is compacted or transactional would have holes (08 R4)."""
    return [
        f"{name} has {key}={found[key]}, {value} is declared"
        for key, value in topic.configuration(settings).items()
        if key in found and found[key] != value
    ]
