"""Bytes to models and back, with the schema version and the dead letter."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from headgate.streams.bus import Record
from headgate.streams.clock import iso
from headgate.streams.commands import AcquirerRequest, CommandBase, Timer
from headgate.streams.errors import CannotDecode
from headgate.streams.facts import Fact
from headgate.streams.settings import Settings
from headgate.streams.topics import Topic, dead_letters_of

SCHEMA_VERSION = b"1"
Model = TypeVar("Model")
Headers = tuple[tuple[str, bytes], ...]

_SPECVERSION = ("ce_specversion", b"1.0")
_JSON = ("content-type", b"application/json")
_BYTES = ("content-type", b"application/octet-stream")
_VERSION = ("v", SCHEMA_VERSION)

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


def event_headers(source: bytes, kind: str, id_: str, time: str) -> Headers:
    """CloudEvents 1.0 attributes in binary mode, and the schema version: what every record of
    ours begins with (docs/decisions/0030).

    `source` and `id_` name one occurrence: a record that tells it again has the same ones, so both
    are derived, never drawn. So is `time`, as `iso` tells it: when it happened or was decided.
    """
    return (
        _SPECVERSION,
        ("ce_id", id_.encode()),
        ("ce_type", kind.encode()),
        ("ce_source", source),
        ("ce_time", time.encode()),
        _JSON,
        _VERSION,
    )


def fact_headers(fact: Fact, merchant_id: str) -> Headers:
    """What is said of every record, where the fact's schema is, and what matching needs without
    decoding."""
    return (
        *event_headers(b"/headgate/payments", fact.type, fact.id, fact.created_at),
        dataschema(fact.type),
        ("merchant-id", merchant_id.encode()),
        ("livemode", b"true" if fact.livemode else b"false"),
    )


@lru_cache(maxsize=256)
def dataschema(kind: str) -> tuple[str, bytes]:
    """The header that names the JSON Schema of a published record's value."""
    return "ce_dataschema", schema_id(kind).encode()


def schema_id(kind: str) -> str:
    """The `$id` of the JSON Schema of a published record of this `ce_type`: the same in every
    installation. Each edge serves it under `/schemas/<kind>.json`."""
    return f"urn:headgate:schema:v{SCHEMA_VERSION.decode()}:{kind}"


def command_headers(command: CommandBase, kind: str, time: str) -> Headers:
    """What is said of a command, known by its `command_id`."""
    return event_headers(b"/headgate/commands", kind, command.command_id, time)


def outgoing_headers(asked: AcquirerRequest | Timer, time: str) -> Headers:
    """What is said of a reminder, or of a call for a bank: each look at an attempt has its own."""
    if isinstance(asked, Timer):
        return command_headers(asked, asked.type, time)
    known_by = f"{asked.attempt_id}.{asked.look}"
    return event_headers(b"/headgate/acquirer", f"acquirer.{asked.type}", known_by, time)


def dead_letter(
    topic: Topic, settings: Settings, origin: Record, offset: int, reason: str
) -> Record:
    """`origin`, a record of `topic` at `offset`, as its dead letter: same key, bytes and headers,
    and where it came from, when and why. Of a record above `DEAD_BYTES_MAX` only the beginning of
    the key is repeated, and the size and SHA-256 of its value are told instead. One without
    CloudEvents attributes, which somebody else wrote, gets those of a dead letter."""
    key, value, headers = origin.key, origin.value, origin.headers
    if _bytes(origin) > DEAD_BYTES_MAX:
        whole = value or b""
        key, value = key[:DEAD_KEY_BYTES_MAX], None
        headers = (
            ("x-value-bytes", str(len(whole)).encode()),
            ("x-value-sha256", sha256(whole).hexdigest().encode()),
        )
    if not any(name == "ce_id" for name, _ in headers):
        headers = (*headers, *_unknown(origin, offset))
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


def _unknown(origin: Record, offset: int) -> Headers:
    """Attributes of a record that has none of its own: it is known by where it stood."""
    place = f"{origin.topic}/{origin.partition}@{offset}"
    time = iso(origin.timestamp_ms or 0)
    said = event_headers(b"/headgate/dead-letters", "record.dead", place, time)
    return (*(pair for pair in said if pair not in (_JSON, _VERSION)), _BYTES)


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
