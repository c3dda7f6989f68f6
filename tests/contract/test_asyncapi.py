"""The AsyncAPI document and the JSON Schemas: valid, honest, and the same wherever they stand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from starlette.applications import Starlette

from headgate.cli.docs_of_contracts import CONTRACTS
from headgate.http.asyncapi import document
from headgate.http.asyncapi_examples import examples
from headgate.http.contracts import Contracts
from headgate.http.routing import at
from headgate.streams.facts import FactType
from headgate.streams.operational_events import OPERATIONAL_TYPES
from headgate.streams.schemas import PUBLISHED, Schema
from headgate.streams.settings import Settings
from headgate.streams.topics import all_topics
from tests.unit.gates import gate_of

ROOT = Path(__file__).parents[2]
OFFICIAL = json.loads((Path(__file__).parent / "asyncapi-3.0.0.json").read_text())
"""Of the npm package @asyncapi/specs 6.11.1 (Apache License 2.0, see asyncapi-specs.LICENSE)."""
DOCUMENT = document(Settings.model_construct())
PUBLIC = ["payments.facts", "webhooks.attempts", "webhooks.events"]

each_kind = pytest.mark.parametrize("kind", PUBLISHED)


def faults(made: Schema) -> list[str]:
    """What the official schema of AsyncAPI 3.0 has against a document."""
    return [error.message for error in Draft7Validator(OFFICIAL).iter_errors(made)]


def references(part: Any) -> Iterator[str]:
    """Every `$ref` in a document."""
    if isinstance(part, list):
        for one in part:
            yield from references(one)
    elif isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for one in part.values():
            yield from references(one)


def found(made: Schema, reference: str) -> Any:
    """What a reference leads to."""
    place: Any = made
    for part in filter(None, reference.removeprefix("#/").split("/")):
        place = place[part]
    return place


def test_the_document_passes_the_official_schema() -> None:
    assert faults(DOCUMENT) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("asyncapi",), "2.6.0"),
        (("channels", "payments.facts", "address"), 7),
        (("operations", "receive.payments.facts", "action"), "subscribe"),
        (("channels", "payments.facts", "bindings", "kafka", "partitions"), "eight"),
        (("components", "messages", "payment.success", "payload"), "text"),
    ],
)
def test_the_official_schema_notices_faults(path: tuple[str, ...], value: object) -> None:
    spoiled = deepcopy(DOCUMENT)
    found(spoiled, "/".join(path[:-1]))[path[-1]] = value
    assert faults(spoiled)


def test_every_reference_leads_somewhere() -> None:
    assert all(found(DOCUMENT, reference) for reference in set(references(DOCUMENT)))


def test_public_topics_have_operations_and_messages_and_all_others_are_marked() -> None:
    channels = DOCUMENT["channels"]
    assert set(channels) == {topic.name for topic in all_topics(Settings.model_construct())}
    assert sorted(n for n, c in channels.items() if c["x-audience"] == "public") == PUBLIC
    assert sorted(n for n, c in channels.items() if c["messages"]) == PUBLIC
    assert sorted(DOCUMENT["operations"]) == [f"receive.{name}" for name in PUBLIC]
    told = {kind for name in PUBLIC for kind in channels[name]["messages"]}
    assert told == set(PUBLISHED) == set(DOCUMENT["components"]["messages"])


def test_every_fact_and_event_is_published() -> None:
    own = {"delivery.attempted", "delivery.noted"}
    assert set(PUBLISHED) == {*get_args(FactType), *OPERATIONAL_TYPES, *own}


def test_topics_are_told_as_they_are_kept() -> None:
    bound = DOCUMENT["channels"]["webhooks.events"]["bindings"]["kafka"]
    assert bound["topicConfiguration"] == {
        "cleanup.policy": ["delete"],
        "retention.ms": 90 * 86_400_000,
    }
    assert bound["partitions"] == Settings.model_construct().partitions


@each_kind
def test_every_message_has_a_real_example_that_its_schemas_accept(kind: str) -> None:
    example = examples()[kind]
    schema = PUBLISHED[kind].schema()
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(example.payload)
    headers = DOCUMENT["components"]["schemas"][f"headers.{PUBLISHED[kind].topic.name}"]
    Draft202012Validator(headers).validate(example.headers)
    assert example.headers["ce_type"] == kind
    assert example.headers["ce_dataschema"] == schema["$id"]
    [shown] = DOCUMENT["components"]["messages"][kind]["examples"]
    assert shown["payload"] == example.payload


@each_kind
def test_a_schema_refuses_what_is_not_of_its_kind(kind: str) -> None:
    schema = PUBLISHED[kind].schema()
    accepts = Draft202012Validator(schema).is_valid
    payload = examples()[kind].payload
    for member in schema["required"]:
        assert not accepts({name: value for name, value in payload.items() if name != member})
        assert not accepts({**payload, member: [0.5]})
    assert accepts({**payload, "invented_later": 1})


def test_an_example_is_the_same_in_every_process() -> None:
    examples.cache_clear()
    assert document(Settings.model_construct()) == DOCUMENT


async def test_an_edge_serves_them_as_they_are_committed_to_anybody() -> None:
    contracts = Contracts(Settings.model_construct())
    app = Starlette(
        routes=[
            at("/asyncapi.json", GET=contracts.asyncapi),
            at("/schemas/{name}", GET=contracts.schema),
        ],
        middleware=[gate_of(Settings())],
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        for file in CONTRACTS:
            path = file.removeprefix("docs/reference")
            answer = await client.get(path)
            assert answer.json() == json.loads((ROOT / file).read_text())
            assert answer.headers["Content-Type"] == "application/json"
        for path in ("/schemas/payment.success", "/schemas/payment.teleported.json"):
            missing = await client.get(path)
            assert missing.status_code == 404
            assert "/asyncapi.json" in missing.json()["detail"]


def test_a_namespace_is_told_by_its_addresses() -> None:
    channels = document(Settings(namespace="replay", partitions=3))["channels"]
    assert channels["payments.facts"]["address"] == "replay.payments.facts"
    assert channels["payments.facts"]["bindings"]["kafka"]["partitions"] == 3
