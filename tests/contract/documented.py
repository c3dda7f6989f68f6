"""Whether an answer is one that the OpenAPI document tells of: its route, status and schema."""

from __future__ import annotations

import re
from functools import cache

import httpx
from jsonschema import Draft202012Validator

from headgate.http.openapi import OPERATIONS, document
from headgate.http.openapi_operation import Operation

DOCUMENT = document()


def check_documented(answer: httpx.Response) -> None:
    """Fail unless the document has this answer for this request. Unknown paths, methods that a
    path lacks and what is not HTTP have no place in it."""
    operation = operation_of(answer.request.method, answer.request.url.raw_path.decode())
    if operation is None:
        assert answer.status_code in (400, 404, 405, 431), "the document has no such route"
        return
    media_type = answer.headers["Content-Type"].partition(";")[0]
    validator = validator_of(operation, answer.status_code, media_type)
    if media_type.endswith("json"):
        validator.validate(answer.json())


def operation_of(method: str, path: str) -> Operation | None:
    """The operation behind the method of a path; of two that fit, the one without parameters."""
    fitting = [
        operation
        for operation in OPERATIONS
        if operation.method == method.lower()
        and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", operation.path), path.partition("?")[0])
    ]
    return min(fitting, key=lambda operation: operation.path.count("{"), default=None)


def validator_of(operation: Operation, status: int, media_type: str) -> Draft202012Validator:
    """What validates an answer. Fails where the document has none with this status and type."""
    responses = DOCUMENT["paths"][operation.path][operation.method]["responses"]
    assert str(status) in responses, f"{operation.name}: {status} is not documented"
    return _validator(operation.method, operation.path, status, media_type)


@cache
def _validator(method: str, path: str, status: int, media_type: str) -> Draft202012Validator:
    answer = DOCUMENT["paths"][path][method]["responses"][str(status)]
    if "$ref" in answer:
        answer = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    schema = answer["content"][media_type]["schema"]
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})
