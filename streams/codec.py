"""Bytes to models and back, with the schema version and the dead letter."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
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
DEAD_BYTES_MAX = 1_000_000
"""Most bytes of a record that its dead letter repeats. A dead letter says more than its origin did
and must fit into a batch all the same (`BATCH_BYTES_MAX`)."""
DEAD_KEY_BYTES_MAX = 1000
"""Most bytes of the key of a dead letter whose record is larger than that."""
HEADER_FRAME_BYTES_MAX = 10
"""Most bytes that Kafka adds to a header: the lengths of its name and its value."""


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
    and where it came from, when and why. Of a record above `DEAD_BYTES_MAX` only the beginning of
    the key is repeated, and the size and SHA-256 of its value are told instead."""
    key, value, headers = origin.key, origin.value, origin.headers
    if _bytes(origin) > DEAD_BYTES_MAX:
        whole = value or b""
        key, value = key[:DEAD_KEY_BYTES_MAX], None
        headers = (
            ("x-value-bytes", str(len(whole)).encode()),
            ("x-value-sha256", sha256(whole).hexdigest().encode()),
        )
    return Record(
        topic=dead_letters_of(topic).full_name(settings),
        partition=origin.partition,
        key=key,
        value=value,
        headers=(
            *headers,
            ("x-origin-topic", origin.topic.encode()),
            ("x-origin-partition", str(origin.partition).encode()),
            ("x-origin-offset", str(offset).encode()),
            ("x-origin-time", iso(origin.timestamp_ms or 0).encode()),
            ("x-reason", reason.encode()[:REASON_BYTES_MAX]),
        ),
    )


def _bytes(record: Record) -> int:
    """The size of a record on the log, or a little more."""
    return (
        len(record.key)
        + len(record.value or b"")
        + sum(len(n.encode()) + len(v or b"") + HEADER_FRAME_BYTES_MAX for n, v in record.headers)
    )


def header(headers: Mapping[str, bytes | str], name: str) -> str | None:
    """A header's text; Faust hands some out as bytes and some as text."""
    value = headers.get(name)
    return value.decode(errors="replace") if isinstance(value, bytes) else value
