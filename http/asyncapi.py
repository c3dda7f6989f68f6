"""The AsyncAPI 3.0 document: the topics that others may build on, from the table and the models."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from headgate.http.asyncapi_examples import examples
from headgate.http.asyncapi_headers import headers_of
from headgate.streams.schemas import PUBLISHED, Published, Schema
from headgate.streams.settings import Settings
from headgate.streams.topics import Topic, all_topics

_BINDING = "0.5.0"
_DESCRIPTION = """\
What Headgate tells on its log, for those who build on it. Channels without operations are how it
works inside: they are listed so that nobody takes them for more, and may change with every version.

Every record carries CloudEvents 1.0 attributes in headers. A record may come more than once, with
the same `ce_source` and `ce_id`: drop repeats by these, facts also by (`payment.id`, `sequence`).
Facts of one payment are in order in one partition, `sequence` without gaps. Changes are additions:
take members, types and words of an `x-extensible-enum` that you do not know as what they are."""


def document(settings: Settings) -> Schema:
    """The whole document, with the names that topics have under these settings."""
    topics = all_topics(settings)
    public = [topic for topic in topics if topic.public]
    return {
        "asyncapi": "3.0.0",
        "id": "urn:headgate",
        "info": {
            "title": "Headgate",
            "version": version("headgate"),
            "description": _DESCRIPTION,
        },
        "defaultContentType": "application/json",
        "servers": {"log": _server()},
        "channels": {topic.name: _channel(topic, settings) for topic in topics},
        "operations": {f"receive.{topic.name}": _operation(topic) for topic in public},
        "components": {
            "messages": {one.kind: _message(one) for one in PUBLISHED.values()},
            "schemas": _schemas()
            | {f"headers.{topic.name}": headers_of(topic) for topic in public},
        },
    }


def kinds_of(topic: Topic) -> list[str]:
    """The kinds of records that a public topic has."""
    return [one.kind for one in PUBLISHED.values() if one.topic.name == topic.name]


def _server() -> Schema:
    where = "Kafka's address, as `HEADGATE_KAFKA` names it."
    return {
        "host": "{bootstrap}",
        "protocol": "kafka",
        "description": "The log.",
        "variables": {"bootstrap": {"default": "127.0.0.1:9092", "description": where}},
    }


def _channel(topic: Topic, settings: Settings) -> Schema:
    messages = kinds_of(topic) if topic.public else []
    return {
        "address": topic.full_name(settings),
        "title": topic.name,
        "description": f"{topic.purpose[0].upper()}{topic.purpose[1:]}. Keyed by {topic.key}.",
        "servers": [{"$ref": "#/servers/log"}],
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in messages},
        "bindings": {"kafka": _kafka(topic, settings)},
        "x-audience": "public" if topic.public else "internal",
    }


def _kafka(topic: Topic, settings: Settings) -> Schema:
    """How the topic is kept. Replicas are the cluster's affair and are not told."""
    told = topic.configuration(settings)
    return {
        "topic": topic.full_name(settings),
        "partitions": settings.partitions,
        "topicConfiguration": {
            "cleanup.policy": [told["cleanup.policy"]],
            "retention.ms": int(told["retention.ms"]),
        },
        "bindingVersion": _BINDING,
    }


def _operation(topic: Topic) -> Schema:
    return {
        "action": "receive",
        "title": f"Follow {topic.name}",
        "summary": f"Read {topic.purpose}.",
        "channel": {"$ref": f"#/channels/{topic.name}"},
    }


def _message(one: Published) -> Schema:
    example = examples().get(one.kind)
    written: Schema = {
        "name": one.kind,
        "title": one.kind,
        "summary": one.words,
        "contentType": "application/json",
        "headers": {"$ref": f"#/components/schemas/headers.{one.topic.name}"},
        "payload": {"$ref": f"#/components/schemas/{one.kind}"},
        "bindings": {"kafka": {"key": _key(one.topic), "bindingVersion": _BINDING}},
        "x-schema": f"/schemas/{one.kind}.json",
    }
    if example is not None:
        written["examples"] = [{"name": one.kind, **example._asdict()}]
    return written


def _key(topic: Topic) -> Schema:
    words = f"The {topic.key}: all records of one are in one partition, in order."
    if topic.name == "webhooks.attempts":
        words = "The delivery_id. A delivery's records are in the partition of its endpoint."
    return {"type": "string", "description": words}


def _schemas() -> Schema:
    """The schemas of all records, and once each what they have in common."""
    found: Schema = {}
    for one in PUBLISHED.values():
        schema = one.schema()
        parts = {**schema.pop("$defs", {}), one.kind: schema}
        for name, part in parts.items():
            moved = _moved({key: part[key] for key in part if key not in ("$schema", "$id")})
            if found.setdefault(name, moved) != moved:
                raise ValueError(
                    f"two schemas are named {name}: give one of the models another name"
                )
    return found


def _moved(schema: Any) -> Any:
    """A schema whose references lead to the document's components."""
    if isinstance(schema, list):
        return [_moved(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _moved(value) for key, value in schema.items()}
    if isinstance(found.get("$ref"), str):
        found["$ref"] = found["$ref"].replace("#/$defs/", "#/components/schemas/")
    return found
