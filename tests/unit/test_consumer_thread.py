"""What Faust leaves undone in the thread of Kafka's client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.types import TP

from headgate.streams.engine.consumer_thread import SafeThread

OURS, GONE = TP("payments.commands", 0), TP("payments.commands", 1)


class FakeClient:
    """Kafka's client, as far as a commit needs it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.committed: list[Mapping[TopicPartition, OffsetAndMetadata]] = []
        self._error = error

    async def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        self.committed.append(offsets)
        if self._error is not None:
            raise self._error


def thread_of(client: FakeClient, assigned: set[TP]) -> Any:
    """A thread that was never started, with this client and assignment."""

    class Idle(SafeThread):
        def __init__(self) -> None:
            """Start nothing."""

        def _ensure_consumer(self) -> Any:
            return client

        def assignment(self) -> set[TP]:
            return assigned

    return Idle()


async def test_only_what_is_still_ours_is_committed() -> None:
    client = FakeClient()
    assert await thread_of(client, {OURS})._commit({OURS: 7, GONE: 9})
    assert [{tp.partition: o.offset for tp, o in each.items()} for each in client.committed] == [
        {0: 7}
    ]


async def test_a_commit_of_which_a_rebalance_took_everything_does_nothing() -> None:
    """Stock ends the worker with `ValueError: {}` here; seen once in 60 rebalances under load."""
    client = FakeClient()
    assert not await thread_of(client, set())._commit({GONE: 9})
    assert client.committed == []


@pytest.mark.parametrize("error", [CommitFailedError("gone"), IllegalStateError("not assigned")])
async def test_a_commit_that_kafka_refuses_does_not_end_the_worker(error: Exception) -> None:
    """The next commit makes up for it (08 R4: group commits are advisory)."""
    client = FakeClient(error)
    assert not await thread_of(client, {OURS})._commit({OURS: 7})
