"""A partition that nobody owns is noticed: its records would wait for ever.

A leader that joins just after Kafka came back may see a cluster that does not know all topics yet.
It then assigns what it sees, and Kafka gives that assignment to the restarted static member again
and again without asking for a new one: seen as a notify worker that matched no facts for minutes,
also after it was restarted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)

from headgate.embedded.stack import Stack
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_FACTS, WEBHOOKS_ATTEMPTS, WEBHOOKS_READY
from tests.system.harness_place import opened, until
from tests.system.harness_workers import Workers

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


def blind_assignor(settings: Settings) -> type[AbstractPartitionAssignor]:
    """Assigns everything but the facts, under the name of the assignor that notify uses."""

    class Blind(AbstractPartitionAssignor):  # type: ignore[misc]  # aiokafka has no types here
        name = "roundrobin"

        @classmethod
        def assign(cls, _cluster: Any, members: Mapping[str, Any]) -> dict[str, Any]:
            seen = {
                topic.full_name(settings): list(range(settings.partitions))
                for topic in (WEBHOOKS_ATTEMPTS, WEBHOOKS_READY)
            }
            return {
                member: ConsumerProtocolMemberAssignment(0, list(seen.items()), b"")
                for member in members
            }

        @classmethod
        def metadata(cls, topics: Any) -> ConsumerProtocolMemberMetadata:
            return ConsumerProtocolMemberMetadata(0, list(topics), b"")

        @classmethod
        def on_assignment(cls, _assignment: Any) -> None:
            """Nothing to remember."""

    return Blind


async def assign_all_but_facts(settings: Settings) -> None:
    """Be the notify worker that saw half of Kafka, and die without leaving the group."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        group_id=settings.group("notify"),
        group_instance_id=settings.instance_id("notify"),
        session_timeout_ms=60_000,
        partition_assignment_strategy=(blind_assignor(settings),),
        enable_auto_commit=False,
    )
    topics = (PAYMENT_FACTS, WEBHOOKS_ATTEMPTS, WEBHOOKS_READY)
    consumer.subscribe([topic.full_name(settings) for topic in topics])
    await consumer.start()

    async def assigned() -> bool:
        return len(consumer.assignment()) == 2 * settings.partitions

    try:
        await until(assigned, 30, "two of the three topics")
    finally:
        await consumer.stop()  # A static member does not say that it leaves.


async def test_a_topic_that_a_leader_overlooked_gets_an_owner(stack: Stack, tmp_path: Path) -> None:
    async with opened(stack) as place:
        await assign_all_but_facts(place.settings)
        workers = Workers(place, "notify", tmp_path)
        try:
            await workers.start(0)
            await workers.until_only(0)
            workers.assert_no_surprise()
        finally:
            await workers.stop()
            for child in workers.newest.values():
                if child.process.returncode is None:
                    child.process.kill()
