"""What the edge counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Those that are shown; a client may draw others."""
_ACCEPT_BUCKETS_S = (
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2, 5,
)  # fmt: skip


disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The metrics of one edge. Labels have few values: templates, not paths."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "headgate_http_requests",
            "Answered requests.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._by_labels: dict[tuple[str, str, int], Counter] = {}
        self._of_commands()
        self._of_the_request_log()
        self.in_flight = Gauge(
            "headgate_http_in_flight", "Requests being worked on.", registry=self.registry
        )
        self.viewers = Gauge(
            "headgate_event_viewers", "Streams of events that are open.", registry=self.registry
        )
        self.outbox = Gauge(
            "headgate_outbox_entries",
            "Commands that wait in Redis for the log.",
            registry=self.registry,
        )
        self.up = Gauge(
            "headgate_dependency_up",
            "Whether a dependency answers, as this edge sees it.",
            ("dependency",),
            registry=self.registry,
        )

    def _of_the_request_log(self) -> None:
        self.request_log_waiting = Gauge(
            "headgate_request_log_waiting",
            "Entries of the request log that wait for PostgreSQL.",
            registry=self.registry,
        )
        self.request_log_dropped = Counter(
            "headgate_request_log_dropped",
            "Entries of the request log that found no place while PostgreSQL was away or slow.",
            registry=self.registry,
        )

    def _of_commands(self) -> None:
        self.accept_s = Histogram(
            "headgate_accept_seconds",
            "Time from a create's body to its answer.",
            buckets=_ACCEPT_BUCKETS_S,
            registry=self.registry,
        )
        self.decide_s = Histogram(
            "headgate_decide_seconds",
            "Time from the body of a capture, cancel or refund to its answer.",
            buckets=_ACCEPT_BUCKETS_S,
            registry=self.registry,
        )
        self.accepted = Counter(
            "headgate_accepted",
            "Commands by how they were answered: log, outbox, replayed, undecided.",
            ("how",),
            registry=self.registry,
        )

    def count(self, method: str, route: str, status: int) -> None:
        """Count an answer."""
        labels = (method, route, status)
        counter = self._by_labels.get(labels)
        if counter is None:
            shown = method if method in METHODS else "other"
            counter = self._requests.labels(shown, route, str(status))
            if shown == method:  # A client may draw methods; we do not remember those.
                self._by_labels[labels] = counter
        counter.inc()

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
