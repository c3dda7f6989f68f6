"""How large topics are on the brokers' disks: the one question of ours that aiokafka cannot ask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Int64, Schema, String

_API_KEY = 35
_API_VERSION = 1
"""The oldest version that Kafka 4 answers; the newer ones tell nothing that is shown."""


class _DescribedLogDirs(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = _API_KEY
    API_VERSION = _API_VERSION
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            Array(
                ("error_code", Int16),
                ("log_dir", String("utf-8")),
                (
                    "topics",
                    Array(
                        ("name", String("utf-8")),
                        (
                            "partitions",
                            Array(
                                ("partition_index", Int32),
                                ("partition_size", Int64),
                                ("offset_lag", Int64),
                                ("is_future_key", Boolean),
                            ),
                        ),
                    ),
                ),
            ),
        ),
    )


class _DescribeLogDirsStruct(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = _API_KEY
    API_VERSION = _API_VERSION
    RESPONSE_TYPE = _DescribedLogDirs
    SCHEMA = Schema(
        (
            "topics",
            Array(("topic", String("utf-8")), ("partitions", Array(Int32))),
        ),
    )


class _DescribeLogDirs(Request[_DescribeLogDirsStruct]):  # type: ignore[misc]  # likewise
    API_KEY = _API_KEY

    def __init__(self, topics: list[tuple[str, list[int]]]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_DescribeLogDirsStruct]) -> _DescribeLogDirsStruct:
        return request_struct_class(self._topics)


async def sizes_of(
    admin: AIOKafkaAdminClient, topics: Iterable[str], partitions: int
) -> dict[str, int]:
    """Bytes of each topic on disk; of a partition with replicas the largest one counts. Raises
    what aiokafka raises."""
    asked = [(topic, list(range(partitions))) for topic in topics]
    found: dict[tuple[str, int], int] = {}
    for broker in admin._client.cluster.brokers():  # noqa: SLF001  no public way
        answer = await admin._send_request_to_node(broker.nodeId, _DescribeLogDirs(asked))  # noqa: SLF001
        _add(found, answer.to_object())
    sizes = dict.fromkeys((topic for topic, _ in asked), 0)
    for (topic, _), size in found.items():
        sizes[topic] += size
    return sizes


def _add(found: dict[tuple[str, int], int], answer: dict[str, Any]) -> None:
    for folder in answer["results"]:
        for topic in folder["topics"]:
            for part in topic["partitions"]:
                where = (topic["name"], part["partition_index"])
                found[where] = max(found.get(where, 0), part["partition_size"])
