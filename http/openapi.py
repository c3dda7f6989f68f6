"""The OpenAPI 3.1 document, generated from the models that check and answer requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import orjson
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from starlette.responses import Response

from headgate.http.answers import (
    JobsAnswer,
    PaymentList,
    PendingOperation,
    ProblemAnswer,
    ReadyAnswer,
    RetryAnswer,
    SettingsAnswer,
    WebhookList,
)
from headgate.http.exchange import Exchange
from headgate.http.routing import json_answer
from headgate.http.schemas import OperationAnswer, PaymentRequest, SettingsRequest
from headgate.streams.facts import PaymentSnapshot
from headgate.tables.scopes import Scope

Model = type[BaseModel]
Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `problems` are the statuses of errors besides 405 and 500, and the
    401, 403 and 429 of what needs a key; `scope` is what that key must have, None for no key."""

    method: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, Model | str]
    problems: tuple[int, ...] = ()
    body: Model | None = None
    example: Mapping[str, Any] = field(default_factory=dict)
    query: tuple[str, ...] = ()
    keyed: bool = False
    scope: Scope | None = None

    @property
    def authenticated(self) -> bool:
        """Whether a key is needed."""
        return self.scope is not None


API = "/api/v1"
_WRITE = (400, 413, 415, 422, 503)
_KEY_PROBLEMS = (401, 403, 429)
OPERATIONS = (
    Operation(
        "post", f"{API}/payments", "createPayment", "Take a payment",
        {201: PaymentSnapshot, 202: PendingOperation}, (*_WRITE, 409),
        PaymentRequest, {"amount": 50000, "order_id": "order_1001", "method": "upi",
                         "vpa": "success@upi"}, keyed=True, scope="payments:write",
    ),
    Operation(
        "get", f"{API}/payments", "listPayments", "List payments, newest first",
        {200: PaymentList}, (400, 503), query=("limit", "starting_after", "ending_before"),
        scope="payments:read",
    ),
    Operation(
        "get", f"{API}/payments/{{id}}", "getPayment", "Look up a payment",
        {200: PaymentSnapshot}, (404, 503), scope="payments:read",
    ),
    Operation(
        "get", f"{API}/operations/{{id}}", "getOperation", "What became of a command",
        {200: OperationAnswer}, (404, 503), scope="payments:read",
    ),
    Operation(
        "get", f"{API}/webhooks", "listWebhooks", "List webhook deliveries and their settings",
        {200: WebhookList}, (400, 503), query=("limit", "offset"),
        scope="webhooks:read",
    ),
    Operation(
        "put", f"{API}/webhooks/settings", "updateWebhookSettings",
        "Set where webhooks go; what is left out stays as it is", {200: SettingsAnswer}, _WRITE,
        SettingsRequest, {"webhookUrl": "https://example.com/webhooks"},
        scope="webhooks:write",
    ),
    Operation(
        "post", f"{API}/webhooks/{{id}}/retry", "retryWebhook", "Attempt a delivery now",
        {200: RetryAnswer}, (404, 503), scope="webhooks:write",
    ),
    Operation(
        "get", f"{API}/test/jobs/status", "getJobsStatus", "What waits, and for what",
        {200: JobsAnswer}, (503,),
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
)  # fmt: skip

_QUERY: dict[str, Schema] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
    "offset": {"type": "integer", "minimum": 0, "default": 0},
    "starting_after": {"type": "string", "description": "A payment id; what follows is older."},
    "ending_before": {"type": "string", "description": "A payment id; what precedes is newer."},
}
_KEY_HEADER: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes repeats safe: one key, one payment, for ever.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_HEADERS: dict[str, str] = {
    "Request-Id": "The id under which our log has this request.",
    "Log-Position": "Where the command is on the log: `payments.commands/3@18422`. Absent while "
    "the log is away and the command waits in the outbox.",
    "Idempotency-Key": "The key of this payment, also when it was drawn here.",
    "Idempotent-Replayed": "`true` when this is the answer to an earlier request.",
}


def document() -> Schema:
    """The whole document."""
    refs, definitions = _schemas()
    paths: dict[str, Schema] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Headgate",
            "version": version("headgate"),
            "description": "A payment gateway that is a stream processor on a Kafka log.",
        },
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "secret": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "keySecret": {"type": "apiKey", "in": "header", "name": "X-Api-Secret"},
            },
        },
    }


def _schemas() -> tuple[dict[Model, Schema], Schema]:
    """A reference for each model, and the schemas that they refer to."""
    asked = {operation.body for operation in OPERATIONS if operation.body}
    answered: set[Model | str] = {
        answer for operation in OPERATIONS for answer in operation.answers.values()
    }
    answered.add(ProblemAnswer)
    modes: list[tuple[Model, JsonSchemaMode]] = [(model, "validation") for model in asked]
    modes += [(model, "serialization") for model in answered if not isinstance(model, str)]
    modes.sort(key=lambda pair: pair[0].__name__)
    found, schema = models_json_schema(modes, ref_template="#/components/schemas/{model}")
    return {model: found[model, mode] for model, mode in modes}, schema["$defs"]


def _operation(operation: Operation, refs: Mapping[Model, Schema]) -> Schema:
    keyed = _KEY_PROBLEMS if operation.authenticated else ()
    problems = {*operation.problems, *keyed, 405, 500}
    answers = {
        str(status): _answer(operation, status, answer, refs)
        for status, answer in operation.answers.items()
    }
    refused = {
        str(status): _content("application/problem+json", refs[ProblemAnswer], "A problem.")
        for status in sorted(problems - set(operation.answers))
    }
    written: Schema = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": {**answers, **refused},
        "security": [{"secret": [operation.scope]}, {"key": [operation.scope], "keySecret": []}]
        if operation.authenticated
        else [],
    }
    if operation.body is not None:
        content = {"schema": refs[operation.body], "example": operation.example}
        written["requestBody"] = {"required": True, "content": {"application/json": content}}
    return written


def _answer(
    operation: Operation, status: int, answer: Model | str, refs: Mapping[Model, Schema]
) -> Schema:
    if isinstance(answer, str):
        return _content(answer, {}, operation.summary)
    written = _content("application/json", refs[answer], answer.__doc__ or "")
    names = _HEADERS if operation.keyed else ("Request-Id",)
    written["headers"] = {
        name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in names
    }
    return written


def _content(media_type: str, schema: Schema, description: str) -> Schema:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _parameters(operation: Operation) -> list[Schema]:
    found: list[Schema] = []
    if "{id}" in operation.path:
        place = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
        found.append(place)
    found += [
        {"name": name, "in": "query", "required": False, "schema": _QUERY[name]}
        for name in operation.query
    ]
    if operation.keyed:
        found.append(_KEY_HEADER)
    return found


class Document:
    """`GET /openapi.json`, made once."""

    def __init__(self) -> None:
        self._document = orjson.dumps(document())

    async def show(self, exchange: Exchange) -> Response:
        """The document."""
        del exchange
        return json_answer(self._document)
