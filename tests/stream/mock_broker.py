"""A scriptable Kafka-protocol broker: librdkafka's mock cluster, steered over stdin.

Run as a process of its own, so that tests can freeze and kill it. Prints one line of JSON with the
bootstrap servers, then answers each line of JSON on stdin with one on stdout; ends with its stdin.
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path
from typing import Any

import confluent_kafka

PRODUCER = 0
ERROR_BYTES = 512


def library() -> ctypes.CDLL:
    """The librdkafka of the confluent-kafka wheel, which exports the mock cluster's functions."""
    folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    kafka = ctypes.CDLL(str(next(folder.glob("librdkafka*"))))
    pointer, number, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    for name, result, arguments in (
        ("rd_kafka_conf_new", pointer, []),
        ("rd_kafka_new", pointer, [number, pointer, text, ctypes.c_size_t]),
        ("rd_kafka_mock_cluster_new", pointer, [pointer, number]),
        ("rd_kafka_mock_cluster_bootstraps", text, [pointer]),
        ("rd_kafka_mock_topic_create", number, [pointer, text, number, number]),
        (
            "rd_kafka_mock_push_request_errors_array",
            None,
            [pointer, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(number)],
        ),
        ("rd_kafka_mock_clear_request_errors", None, [pointer, ctypes.c_int16]),
        ("rd_kafka_mock_broker_set_down", number, [pointer, ctypes.c_int32]),
        ("rd_kafka_mock_broker_set_up", number, [pointer, ctypes.c_int32]),
        ("rd_kafka_mock_broker_set_rtt", number, [pointer, ctypes.c_int32, number]),
        ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, [pointer, ctypes.c_int32]),
    ):
        function = getattr(kafka, name)
        function.restype, function.argtypes = result, arguments
    return kafka


class Cluster:
    """One mock broker and what can be done to it; results are librdkafka's error codes."""

    def __init__(self, rebalance_delay_ms: int) -> None:
        self.kafka = library()
        error = ctypes.create_string_buffer(ERROR_BYTES)
        configuration = self.kafka.rd_kafka_conf_new()
        client = self.kafka.rd_kafka_new(PRODUCER, configuration, error, ERROR_BYTES)
        self.cluster = self.kafka.rd_kafka_mock_cluster_new(client, 1)
        self.kafka.rd_kafka_mock_group_initial_rebalance_delay_ms(self.cluster, rebalance_delay_ms)

    @property
    def bootstrap(self) -> str:
        """Where clients connect to."""
        servers: bytes = self.kafka.rd_kafka_mock_cluster_bootstraps(self.cluster)
        return servers.decode()

    def topic(self, name: str, partitions: int) -> Any:
        """Create a topic."""
        return self.kafka.rd_kafka_mock_topic_create(self.cluster, name.encode(), partitions, 1)

    def errors(self, api: int, codes: list[int]) -> Any:
        """Answer the next requests of an API with these error codes, one each."""
        array = (ctypes.c_int * len(codes))(*codes)
        self.kafka.rd_kafka_mock_push_request_errors_array(self.cluster, api, len(codes), array)
        return 0

    def no_errors(self, api: int) -> Any:
        """Answer an API normally again."""
        self.kafka.rd_kafka_mock_clear_request_errors(self.cluster, api)
        return 0

    def down(self) -> Any:
        """Refuse connections and drop those that exist."""
        return self.kafka.rd_kafka_mock_broker_set_down(self.cluster, 1)

    def up(self) -> Any:
        """Answer again."""
        return self.kafka.rd_kafka_mock_broker_set_up(self.cluster, 1)

    def round_trip(self, milliseconds: int) -> Any:
        """Delay every answer."""
        return self.kafka.rd_kafka_mock_broker_set_rtt(self.cluster, 1, milliseconds)


def main() -> None:
    """Serve the orders on stdin until it ends."""
    cluster = Cluster(rebalance_delay_ms=int(sys.argv[1]))
    print(json.dumps({"bootstrap": cluster.bootstrap}), flush=True)  # noqa: T201
    for line in sys.stdin:
        order = json.loads(line)
        result = getattr(cluster, order.pop("do"))(**order)
        print(json.dumps({"result": result}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
