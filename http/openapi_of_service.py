"""What the OpenAPI document says about the service itself: health, metrics, documents."""

from __future__ import annotations

from headgate.http.answers import JobsAnswer, ReadyAnswer
from headgate.http.openapi_operation import API, Operation
from headgate.http.problems_of_access import LivemodeMismatch
from headgate.http.problems_of_services import OutcomeUnknown, StoreAway
from headgate.http.simulated_bank import KnobsAnswer
from headgate.http.webhook_keys import WebhookKeysAnswer
from headgate.tables.acquirer_knobs import Knobs

SERVICE = (
    Operation(
        "get", f"{API}/test/jobs/status", "getJobsStatus", "What waits, and for what",
        {200: JobsAnswer}, (StoreAway,),
    ),
    Operation(
        "get", f"{API}/test/acquirer", "getTestAcquirer",
        "How slow, faulty or away the simulated bank is", {200: KnobsAnswer},
        (LivemodeMismatch,), scope="test:write",
    ),
    Operation(
        "put", f"{API}/test/acquirer", "setTestAcquirer",
        "Set how slow, faulty or away the simulated bank is; what is left out is unset",
        {200: KnobsAnswer}, (LivemodeMismatch, OutcomeUnknown), Knobs,
        {"latency_ms": {"min": 50, "max": 500}, "error_ratio": 0.1, "timeout_ratio": 0.05},
        scope="test:write",
    ),
    Operation(
        "delete", f"{API}/test/acquirer", "resetTestAcquirer",
        "Unset all that was set for the simulated bank", {200: KnobsAnswer},
        (LivemodeMismatch, OutcomeUnknown), scope="test:write",
    ),
    Operation(
        "get", "/.well-known/webhook-keys/{endpoint}", "getWebhookKeys",
        "The public keys that verify an endpoint's v1a signatures", {200: WebhookKeysAnswer},
    ),
    Operation(
        "get", "/errors", "listErrors", "Every error, for people", {200: "text/html"},
    ),
    Operation(
        "get", "/errors/{code}", "getError", "What an error means and what to do, for people",
        {200: "text/html"},
    ),
    Operation(
        "get", "/health", "getHealth", "The seed's health check", {200: "text/plain"},
    ),
    Operation(
        "get", "/health/live", "getLive", "Whether this process answers",
        {200: "application/json"},
    ),
    Operation(
        "get", "/health/ready", "getReady", "Whether a payment would go all the way through",
        {200: ReadyAnswer, 503: ReadyAnswer},
    ),
    Operation(
        "get", "/metrics", "getMetrics", "Metrics for Prometheus", {200: "text/plain"},
    ),
    Operation(
        "get", "/openapi.json", "getOpenapi", "This document", {200: "application/json"},
    ),
    Operation(
        "get", "/asyncapi.json", "getAsyncapi", "The topics that others may build on, as AsyncAPI",
        {200: "application/json"},
    ),
    Operation(
        "get", "/schemas/{name}", "getSchema",
        "The JSON Schema of one kind of record, such as `payment.captured.json`",
        {200: "application/json"},
    ),
)  # fmt: skip
