"""Bytes to models and back, with the schema version and the dead letter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from headgate.streams.bus import Record
from headgate.streams.clock import iso
from headgate.streams.errors import CannotDecode
from headgate.streams.facts import Fact
from headgate.streams.settings import Settings
from headgate.streams.topics import Topic, dead_letters_of

SCHEMA_VERSION = b"1"
Model = TypeVar("Model")
Headers = tuple[tuple[str, bytes], ...]

REASON_BYTES_MAX = 1000
"""Most bytes of a dead letter's reason."""


def encode(model: BaseModel) -> bytes:
    """The JSON of a model, with its schema version in `v`."""
    return model.model_dump_json().encode()


def decode(adapter: TypeAdapter[Model], value: bytes | None) -> Model:
    """The model behind `value`.

    Raises CannotDecode with the first thing that is wrong, never with the value itself: what
    cannot be read may hold what must not be logged.
    """
    if value is None:
        raise CannotDecode("the record has no value")
    try:
        return adapter.validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the record"
        raise CannotDecode(f"{where}: {first['msg']}") from None


def fact_headers(fact: Fact, merchant_id: str) -> Headers:
    """CloudEvents 1.0 attributes in binary mode, and what matching needs without decoding."""
    return (
        ("ce_specversion", b"1.0"),
        ("ce_id", fact.id.encode()),
        ("ce_type", fact.type.encode()),
        ("ce_source", b"/headgate/payments"),
        ("ce_time", fact.created_at.encode()),
        ("content-type", b"application/json"),
        ("v", SCHEMA_VERSION),
        ("merchant-id", merchant_id.encode()),
        ("livemode", b"true" if fact.livemode else b"false"),
    )


def dead_letter(
    topic: Topic, settings: Settings, origin: Record, offset: int, reason: str
) -> Record:
    """`origin`, a record of `topic` at `offset`, as its dead letter: same key, bytes and headers,
    and where it came from, when and why."""
    return Record(
        topic=dead_letters_of(topic).full_name(settings),
        partition=origin.partition,
        key=origin.key,
        value=origin.value,
        headers=(
            *origin.headers,
            ("x-origin-topic", origin.topic.encode()),
            ("x-origin-partition", str(origin.partition).encode()),
            ("x-origin-offset", str(offset).encode()),
            ("x-origin-time", iso(origin.timestamp_ms or 0).encode()),
            ("x-reason", reason.encode()[:REASON_BYTES_MAX]),
        ),
    )


def header(headers: Mapping[str, bytes | str], name: str) -> str | None:
    """A header's text; Faust hands some out as bytes and some as text."""
    value = headers.get(name)
    return value.decode(errors="replace") if isinstance(value, bytes) else value
