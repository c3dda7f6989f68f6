"""The gate around an app of a test."""

from __future__ import annotations

from starlette.middleware import Middleware

from headgate.http.gate import Gate
from headgate.http.metrics import Metrics
from headgate.http.request_log import RequestLog
from headgate.streams.settings import Settings


def gate_of(settings: Settings, request_log: RequestLog | None = None) -> Middleware:
    """The gate, with a request log that nobody writes unless the test does."""
    metrics = Metrics()
    request_log = request_log or RequestLog(settings, metrics)
    return Middleware(Gate, settings=settings, metrics=metrics, request_log=request_log)
