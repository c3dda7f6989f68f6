"""What every worker tells Prometheus: how much it did, how far behind it is, what it waits for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import disable_created_metrics
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

disable_created_metrics()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a worker is with one topic."""

    done: int
    """Records that it finished since it started."""
    partitions: int
    """Partitions that it works on."""
    behind: int
    """Records of these that it has not finished, as far as the last fetch told."""


class Observed(Protocol):
    """A worker, as its metrics see it."""

    @property
    def waiting_for(self) -> str | None:
        """The dependency that work waits for, None when nothing is away."""

    def progress(self) -> Mapping[str, Progress]:
        """How far it is, by topic."""


class WorkerCollector(Collector):
    """Reads the worker when Prometheus asks; until then it costs nothing."""

    def __init__(self, worker: Observed) -> None:
        self._worker = worker

    def collect(self) -> Iterable[Metric]:
        """The numbers of now."""
        done, partitions, behind, waits = _families()
        for topic, progress in self._worker.progress().items():
            done.add_metric([topic], progress.done)
            partitions.add_metric([topic], progress.partitions)
            behind.add_metric([topic], progress.behind)
        waits.add_metric([], int(self._worker.waiting_for is not None))
        return done, partitions, behind, waits

    def describe(self) -> Iterable[Metric]:
        """What there is, without numbers."""
        return _families()


def _families() -> tuple[
    CounterMetricFamily, GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily
]:
    by_topic = ["topic"]
    return (
        CounterMetricFamily(
            "headgate_worker_records", "Records that were finished.", labels=by_topic
        ),
        GaugeMetricFamily(
            "headgate_worker_partitions", "Partitions that it works on.", labels=by_topic
        ),
        GaugeMetricFamily(
            "headgate_worker_behind_records", "Records that are not finished yet.", labels=by_topic
        ),
        GaugeMetricFamily(
            "headgate_worker_waits", "1 while work waits for a dependency that is away.", labels=[]
        ),
    )
