"""The published records, and the JSON Schema of each: what downstream consumers may rely on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import DataclassField, ModelField, TypedDictField

from headgate.streams.codec import schema_id
from headgate.streams.deliveries import AttemptMade, DeliveryNoted
from headgate.streams.fact_words import FACTS_IN_WORDS
from headgate.streams.facts import Fact
from headgate.streams.operational_events import OperationalEvent
from headgate.streams.operational_words import OPERATIONAL_IN_WORDS
from headgate.streams.topics import PAYMENT_FACTS, WEBHOOKS_ATTEMPTS, WEBHOOKS_EVENTS, Topic

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
CLOSED = frozenset({"mode", "status"})
"""Members whose words are all that there will ever be. The words of every other member may become
more: they are listed as `x-extensible-enum`, and readers take an unknown one as they take an
unknown type (docs/decisions/0030)."""
_RULE = re.compile(r" \((?:0\d [^)]*|lesson [^)]*)\)")
"""A source that only our specification has."""


@dataclass(frozen=True, slots=True)
class Published:
    """One kind of published record."""

    kind: str
    """Its `ce_type`."""
    topic: Topic
    model: type[BaseModel]
    words: str
    """What it means."""

    def schema(self, model: type[BaseModel] | None = None) -> Schema:
        """Its JSON Schema (2020-12), complete in itself; of another model than ours for tests."""
        found = deepcopy(_written(model or self.model))
        found |= {"$schema": DIALECT, "$id": schema_id(self.kind), "title": self.kind}
        found["description"] = self.words
        if issubclass(self.model, Fact):
            found["properties"]["data"] = self._data(found["$defs"].pop("Data"))
        if issubclass(self.model, Fact | OperationalEvent):
            found["properties"] |= {
                "event": {"const": self.kind, "type": "string", "description": "The same word."},
                "type": {"const": self.kind, "type": "string"},
            }
        return found

    def _data(self, data: Schema) -> Schema:
        """What the fact is about: the payment, and the child that its type names."""
        about = self.kind.partition(".")[0]
        members = ["payment"] if about == "payment" else ["payment", about]
        properties = {name: _present(data["properties"][name]) for name in members}
        return {**data, "properties": properties, "required": members}


def _present(schema: Schema) -> Schema:
    """A member that is left out rather than null."""
    kept: Schema = next((one for one in schema.get("anyOf", ()) if "$ref" in one), schema)
    return kept


class _AsWritten(GenerateJsonSchema):
    """Models as `encode` writes them: with every member, but those that are left out."""

    def field_is_required(
        self, field: ModelField | DataclassField | TypedDictField, total: bool
    ) -> bool:
        del total
        return "serialization_exclude_if" not in field


@cache
def _written(model: type[BaseModel]) -> Schema:
    schema = model.model_json_schema(mode="serialization", schema_generator=_AsWritten)
    plain: Schema = _plain(schema)
    return plain


def _plain(schema: Any, name: str = "") -> Any:
    """A schema without titles, defaults and sources of ours, and with words that may be more."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    members = "properties" if name == "properties" else ""
    found = {
        key: _plain(value, key)
        for key, value in schema.items()
        if members or key not in ("title", "default")
    }
    if members:
        return found
    if isinstance(found.get("description"), str):
        found["description"] = " ".join(_RULE.sub("", found["description"]).split())
    if "enum" in found and name not in CLOSED:
        found["x-extensible-enum"] = found.pop("enum")
    return found


def _all() -> Iterator[Published]:
    for kind, words in FACTS_IN_WORDS.items():
        yield Published(kind, PAYMENT_FACTS, Fact, words)
    for event, words in OPERATIONAL_IN_WORDS.items():
        yield Published(event, WEBHOOKS_EVENTS, OperationalEvent, words)
    yield Published(
        "delivery.attempted", WEBHOOKS_ATTEMPTS, AttemptMade,
        "A webhook was sent, or could not be: one attempt, and what came of it.",
    )  # fmt: skip
    yield Published(
        "delivery.noted", WEBHOOKS_ATTEMPTS, DeliveryNoted,
        "An attempt was not made: it is held, parked, blocked or canceled.",
    )  # fmt: skip


PUBLISHED: Mapping[str, Published] = {one.kind: one for one in _all()}
"""Every kind of published record, by its `ce_type`."""
