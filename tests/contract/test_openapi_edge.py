"""The OpenAPI document says what the edge does: every route, every model, examples that hold."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from headgate.http.edge import create_app
from headgate.http.openapi import OPERATIONS, document
from headgate.http.routing import Resource
from headgate.streams.settings import Settings

DOCUMENT = document()


def references(node: object) -> Iterator[str]:
    """Every `$ref` in a document."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref":
                yield value
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def routes(folder: Path) -> dict[str, set[str]]:
    """The methods of every route of the edge."""
    app = create_app(Settings(secret_key=b64encode(bytes(32)).decode(), state_dir=folder))
    resources = [route.app for route in app.routes if hasattr(route, "app")]
    return {
        resource.template: {method.lower() for method in resource.handlers} - {"head"}
        for resource in resources
        if isinstance(resource, Resource)
    }


def test_every_route_is_described_and_nothing_else(tmp_path: Path) -> None:
    described = {path: set(methods) for path, methods in DOCUMENT["paths"].items()}
    assert described == routes(tmp_path)


def test_it_is_json_without_dangling_references() -> None:
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT
    assert DOCUMENT["openapi"].startswith("3.1")
    found = set(references(DOCUMENT))
    known = {
        f"#/components/{kind}/{name}"
        for kind, names in DOCUMENT["components"].items()
        for name in names
    }
    assert found
    assert found <= known


def test_every_schema_is_a_json_schema() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_the_codes_behind_each_status_are_those_that_the_route_may_answer_with() -> None:
    for operation in OPERATIONS:
        responses = DOCUMENT["paths"][operation.path][operation.method]["responses"]
        for kind in operation.kinds():
            answer = responses[str(kind.status)]
            if kind.status in operation.answers:
                continue
            if "$ref" in answer:
                answer = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            schema = answer["content"]["application/problem+json"]["schema"]
            whole = {**schema, "components": DOCUMENT["components"]}
            Draft202012Validator(whole).validate(kind.example().document("req_1"))
            assert f"`{kind.code}`" in answer["description"]


def test_every_operation_has_a_name_of_its_own_and_says_what_goes_wrong() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(names) == len(set(names))
    for operation in OPERATIONS:
        written = DOCUMENT["paths"][operation.path][operation.method]
        assert written["summary"]
        assert {"405", "500"} <= set(written["responses"])
        closed = operation.authenticated or operation.client_secret
        assert ("401" in written["responses"]) is closed


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.body], ids=lambda o: o.name)
def test_examples_hold_for_the_schema_and_for_the_model(operation: Any) -> None:
    written = DOCUMENT["paths"][operation.path][operation.method]
    example = written["requestBody"]["content"]["application/json"]["example"]
    schema = {"$ref": written["requestBody"]["content"]["application/json"]["schema"]["$ref"]}
    whole = {**schema, "components": DOCUMENT["components"]}
    Draft202012Validator(whole).validate(example)
    operation.body.model_validate(example)
