"""JSON bodies in the docs against the schemas that the edge publishes, and that of an event."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from headgate.http.openapi import document
from headgate.streams.facts import FACT
from headgate.streams.operational_events import OPERATIONAL_EVENT
from tests.contract.sample_shapes import MORE, Differs, is_partial

Schema = dict[str, Any]


@cache
def schemas() -> dict[str, Schema]:
    """Every named schema, each with what it refers to."""
    components = document()["components"]["schemas"]
    event = FACT.json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    components = {**event.pop("$defs", {}), **components, "Fact": event}
    told = OPERATIONAL_EVENT.json_schema(
        mode="serialization", ref_template="#/components/schemas/{model}"
    )
    components = {**told.pop("$defs", {}), **components, "OperationalEvent": told}
    return {
        name: {**schema, "components": {"schemas": components}}
        for name, schema in components.items()
    }


def check_schema(value: Any, name: str) -> None:
    """Raises Differs unless the value is what the named schema describes; without a name, what
    any of them describes. It must have no members that the schema does not know."""
    known = schemas()
    if name and name not in known:
        raise Differs(f"there is no schema {name}; there are {sorted(known)}")
    asked = {name: known[name]} if name else known
    faults = {each: _fault(value, schema) for each, schema in asked.items()}
    if all(faults.values()):
        told = faults[name] if name else f"it is none of the {len(known)} schemas of openapi.json"
        raise Differs(f"{told}; name its schema after ```json, and show what is left out with …")


def _fault(value: Any, schema: Schema) -> str | None:
    """What is wrong with it, if anything."""
    if not isinstance(value, dict):
        return "it is no object"
    if unknown := value.keys() - _members(schema) - {MORE}:
        return f"the schema does not know {sorted(unknown)}"
    if is_partial(value):
        schema = _without_required(schema)
    for error in Draft202012Validator(schema).iter_errors(_without_more(value)):
        if not _holds_more(error.instance):
            return f"{'.'.join(map(str, error.path))}: {error.message[:200]}"
    return None


def _members(schema: Schema) -> set[str]:
    """The members that a schema knows, with those of the schemas that it is made of."""
    known = set(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        name = part.get("$ref", "").rpartition("/")[2]
        known |= _members(schemas()[name] if name else part)
    return known


def _holds_more(value: Any) -> bool:
    return isinstance(value, str) and MORE in value


def _without_more(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_more(each) for name, each in value.items() if name != MORE}
    if isinstance(value, list):
        return [_without_more(each) for each in value if each != MORE]
    return value


def _without_required(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {n: _without_required(each) for n, each in schema.items() if n != "required"}
    if isinstance(schema, list):
        return [_without_required(each) for each in schema]
    return schema
