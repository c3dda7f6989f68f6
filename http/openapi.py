"""The OpenAPI 3.1 document, generated from the models that check and answer requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import orjson
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from starlette.responses import Response

from headgate.http.answers import ProblemAnswer
from headgate.http.exchange import Exchange
from headgate.http.openapi_of_checkout import CHECKOUT
from headgate.http.openapi_of_commands import COMMANDS
from headgate.http.openapi_of_endpoints import ENDPOINTS
from headgate.http.openapi_of_keys import KEYS
from headgate.http.openapi_of_payments import PAYMENTS
from headgate.http.openapi_of_portal import PORTAL
from headgate.http.openapi_of_reading import READING
from headgate.http.openapi_of_replays import REPLAYS
from headgate.http.openapi_of_service import SERVICE
from headgate.http.openapi_of_webhooks import WEBHOOKS
from headgate.http.openapi_operation import Model, Operation
from headgate.http.openapi_parameters import parameters
from headgate.http.openapi_problems import problem_answers, problem_components, problem_schemas
from headgate.http.problem_kinds import KINDS
from headgate.http.routing import json_answer

Schema = dict[str, Any]

OPERATIONS: tuple[Operation, ...] = (
    *PAYMENTS,
    *COMMANDS,
    *READING,
    *WEBHOOKS,
    *CHECKOUT,
    *REPLAYS,
    *ENDPOINTS,
    *PORTAL,
    *KEYS,
    *SERVICE,
)

_HEADERS: dict[str, str] = {
    "Request-Id": "The id under which our log has this request.",
    "Log-Position": "Where the command is on the log: `payments.commands/3@18422`. Absent while "
    "the log is away and the command waits in the outbox.",
    "Idempotency-Key": "The key of this request, also when it was drawn here.",
    "Idempotent-Replayed": "`true` when this is the answer to an earlier request.",
    "Original-Request-Id": "The request that this answer was given to first.",
    "Preference-Applied": "What of `Prefer` was heeded.",
    "Location": "Where to ask what became of it, with 202.",
    "Retry-After": "In how many seconds to ask there, with 202.",
    "Warning": "What is unwise about the request, such as a refund without a key.",
}

_LIMITS: dict[str, str] = {
    "RateLimit-Policy": 'The limits that apply, if any: `"default";q=250;w=1` is 250 in 1 s.',
    "RateLimit": 'What is left of them: `"default";r=249;t=1`, and more in 1 s.',
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
            "schemas": {**definitions, **problem_schemas(KINDS, refs[ProblemAnswer])},
            **problem_components(operation.kinds() for operation in OPERATIONS),
            "securitySchemes": {
                "secret": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "keySecret": {"type": "apiKey", "in": "header", "name": "X-Api-Secret"},
                "clientSecret": {"type": "http", "scheme": "bearer"},
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
    answers = {
        str(status): _answer(operation, status, answer, refs)
        for status, answer in operation.answers.items()
    }
    written: Schema = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": parameters(operation),
        "responses": dict(sorted((problem_answers(operation.kinds()) | answers).items())),
        "security": _security(operation),
    }
    if operation.body is not None:
        content = {"schema": refs[operation.body], "example": operation.example}
        written["requestBody"] = {
            "required": not operation.may_be_empty,
            "content": {"application/json": content},
        }
    return written


def _security(operation: Operation) -> list[Schema]:
    """What opens it: one of these, or nothing."""
    if operation.client_secret:
        return [{"clientSecret": []}]
    if operation.authenticated:
        return [{"secret": [operation.scope]}, {"key": [operation.scope], "keySecret": []}]
    return []


def _answer(
    operation: Operation, status: int, answer: Model | str, refs: Mapping[Model, Schema]
) -> Schema:
    if isinstance(answer, str):
        written = _content(answer, {}, operation.summary)
    else:
        written = _content("application/json", refs[answer], answer.__doc__ or "")
    names: Iterable[str] = ("Request-Id",)
    if operation.keyed:
        names = _HEADERS
    elif operation.repeatable:
        names = ("Request-Id", "Idempotency-Key", "Idempotent-Replayed")
    told = {name: _HEADERS[name] for name in names}
    if operation.authenticated or operation.client_secret:
        told |= _LIMITS
    written["headers"] = {
        name: {"description": description, "schema": {"type": "string"}}
        for name, description in told.items()
    }
    return written


def _content(media_type: str, schema: Schema, description: str) -> Schema:
    return {"description": description, "content": {media_type: {"schema": schema}}}


class Document:
    """`GET /openapi.json`, made once."""

    def __init__(self) -> None:
        self._document = orjson.dumps(document())

    async def show(self, exchange: Exchange) -> Response:
        """The document."""
        del exchange
        return json_answer(self._document)
