"""What the notify worker tells Prometheus of webhooks: attempts, lanes, delays, the watch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from headgate.agents.lanes import Lanes
from headgate.streams.deliveries import AttemptMade

_ATTEMPT_BUCKETS_S = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30,
)  # fmt: skip
_DELIVERY_BUCKETS_S = (
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200, 21_600, 86_400, 272_160,
)  # fmt: skip


class WebhookMetrics:
    """What is counted as it happens. An attempt that is read again after a crash counts again:
    these numbers are for watching, the rows are for accounting."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Histogram(
            "headgate_webhook_attempt_seconds",
            "Duration of webhook attempts: success, rejected, failed, blocked.",
            ("kind",),
            buckets=_ATTEMPT_BUCKETS_S,
            registry=registry,
        )
        self._delivered = Histogram(
            "headgate_webhook_delivery_seconds",
            "Time from an event to the receiver's 2xx.",
            buckets=_DELIVERY_BUCKETS_S,
            registry=registry,
        )
        self.exhausted = Counter(
            "headgate_webhook_exhausted", "Deliveries that failed for good.", registry=registry
        )
        self.disabled = Counter(
            "headgate_webhook_endpoints_disabled",
            "Endpoints that were disabled because nothing got through.",
            registry=registry,
        )

    def saw(self, made: Iterable[AttemptMade]) -> None:
        """Count attempts."""
        for one in made:
            self._attempts.labels(one.kind).observe(one.duration_ms / 1000)
            if one.kind == "success" and one.created_at_ms is not None and not one.replay_id:
                arrived_at_ms = one.started_at_ms + one.duration_ms
                self._delivered.observe(max(0, arrived_at_ms - one.created_at_ms) / 1000)


class Pump(Protocol):
    """The delay pump, as its metrics see it."""

    @property
    def held(self) -> int:
        """Records in memory, waiting for their time."""

    @property
    def head_overdue_ms(self) -> Mapping[str, int]:
        """Per tier by how much its most overdue record is late."""


class Replays(Protocol):
    """The replayer, as its metrics see it."""

    counted: int
    """Events that it has counted."""
    sent: int
    """Deliveries that it has put on the log."""


class WebhookCollector(Collector):
    """Reads lanes, pump and replays when Prometheus asks; until then it costs nothing."""

    def __init__(
        self,
        lanes: Lanes,
        held: Callable[[], int],
        pump: Callable[[], Pump | None],
        replays: Replays,
    ) -> None:
        """`held` counts the times that a delivery was held up. The pump is None before it runs."""
        self._lanes = lanes
        self._held = held
        self._pump = pump
        self._replays = replays

    def collect(self) -> Iterable[Metric]:
        """The numbers of now."""
        families = _families()
        lanes, opened, in_flight, waiting, held, overdue, delayed, counted, sent = families
        all_lanes = list(self._lanes)
        lanes.add_metric([], len(all_lanes))
        opened.add_metric([], sum(lane.breaker.open for lane in all_lanes))
        in_flight.add_metric([], sum(lane.in_flight for lane in all_lanes))
        waiting.add_metric([], sum(len(lane.waiting) for lane in all_lanes))
        held.add_metric([], self._held())
        counted.add_metric([], self._replays.counted)
        sent.add_metric([], self._replays.sent)
        if (pump := self._pump()) is not None:
            delayed.add_metric([], pump.held)
            for tier, late_ms in pump.head_overdue_ms.items():
                overdue.add_metric([tier], max(0, late_ms) / 1000)
        return families

    def describe(self) -> Iterable[Metric]:
        """What there is, without numbers."""
        return _families()


def _families() -> tuple[GaugeMetricFamily | CounterMetricFamily, ...]:
    gauge = GaugeMetricFamily
    return (
        gauge("headgate_webhook_lanes", "Endpoints that were posted to lately.", labels=[]),
        gauge("headgate_webhook_lanes_open", "Lanes whose breaker is open.", labels=[]),
        gauge("headgate_webhook_in_flight", "Webhook attempts under way.", labels=[]),
        gauge("headgate_webhook_waiting", "Deliveries that wait for a place.", labels=[]),
        CounterMetricFamily(
            "headgate_webhook_held", "Times that a delivery was held up, no attempt.", labels=[]
        ),
        gauge(
            "headgate_delay_head_overdue_seconds",
            "How late the most overdue record of a delay topic is.",
            labels=["tier"],
        ),
        gauge("headgate_delay_records", "Delayed records in the pump's memory.", labels=[]),
        CounterMetricFamily(
            "headgate_webhook_replay_counted", "Events that replays have counted.", labels=[]
        ),
        CounterMetricFamily(
            "headgate_webhook_replay_sent", "Deliveries that replays have made.", labels=[]
        ),
    )
