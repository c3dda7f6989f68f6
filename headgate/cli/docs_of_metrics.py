"""The page `docs/reference/metrics.md`: everything that Prometheus is told, and by whom."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from headgate.agents.lanes import Lanes
from headgate.agents.webhook_metrics import WebhookCollector, WebhookMetrics
from headgate.http.metrics import Metrics
from headgate.http.webhook_gauges import WebhookGauges
from headgate.streams.engine.metrics import Progress, WorkerCollector
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres

METRICS = """\
{made}

# Metrics

Every process answers Prometheus. The edge does at `GET /metrics`, on its own port. Workers do on
ports of their own, on loopback, when `HEADGATE_WORKER_METRICS_PORT` names the first of them: settle
listens there, acquire on the next and notify on the one after.

```sh
HEADGATE_WORKER_METRICS_PORT=9464 headgate up
curl http://127.0.0.1:9466/metrics
```

Labels have few values: routes are templates, and no metric names a merchant or an endpoint. What
each worker counts begins at 0 when it starts.

Worth an alarm: `headgate_worker_waits` is 1 for a minute; `headgate_worker_behind_records` grows;
`headgate_delay_head_overdue_seconds` is above 1 (a delay topic's offset lag says nothing: long
tiers hold records uncommitted for hours by design).
"""
_HEAD = "| Metric | Kind | Labels | Meaning |\n|---|---|---|---|\n"


class _Idle:
    """A worker that has not begun."""

    waiting_for: str | None = None
    counted = sent = 0

    def progress(self) -> dict[str, Progress]:
        return {}


def metrics(made: str) -> str:
    """The page, under the line that says how it is made."""
    edge = Metrics().registry
    WebhookGauges(Postgres(Settings.model_construct()), edge)
    worker, webhooks = CollectorRegistry(), CollectorRegistry()
    worker.register(WorkerCollector(_Idle()))
    WebhookMetrics(webhooks)
    lanes = Lanes(Settings.model_construct())
    webhooks.register(WebhookCollector(lanes, lambda: 0, lambda: None, _Idle()))
    parts = [
        METRICS.format(made=made),
        _table("The edge", edge),
        _table("Every worker", worker),
        _table("The notify worker", webhooks),
    ]
    return "\n".join(parts)


def _table(heading: str, registry: CollectorRegistry) -> str:
    rows = sorted(row for collector in _collectors(registry) for row in _rows(collector))
    return f"## {heading}\n\n{_HEAD}" + "".join(f"{row}\n" for row in rows)


def _collectors(registry: CollectorRegistry) -> Iterable[Collector]:
    return list(registry._collector_to_names)  # noqa: SLF001  the registry tells nobody what it has


def _rows(collector: Collector) -> Iterable[str]:
    """One row per metric, with the name that Prometheus shows."""
    for family in collector.describe():  # type: ignore[attr-defined]
        labels = getattr(collector, "_labelnames", ()) or getattr(family, "_labelnames", ())
        name = family.name + ("_total" if family.type == "counter" else "")
        shown = ", ".join(f"`{label}`" for label in labels)
        yield f"| `{name}` | {family.type} | {shown} | {family.documentation} |"
