"""Records of the log as people read them: what they are, of which payment, and their text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from headgate.streams.bus import Record
from headgate.streams.cards import masked
from headgate.streams.codec import decode
from headgate.streams.commands import ACQUIRER_REQUEST, COMMAND
from headgate.streams.delays import TARGET
from headgate.streams.deliveries import (
    ATTEMPT_MADE,
    CANCEL,
    DELIVERY_NOTED,
    DELIVERY_WANTED,
    NOTICE,
)
from headgate.streams.errors import CannotDecode
from headgate.streams.facts import FACT
from headgate.streams.operational_events import OPERATIONAL_EVENT
from headgate.streams.topics import (
    ACQUIRER_REQUESTS,
    OPEN_PAYMENTS_TABLE,
    PAYMENT_COMMANDS,
    PAYMENT_FACTS,
    WEBHOOKS_ATTEMPTS,
    WEBHOOKS_EVENTS,
    WEBHOOKS_READY,
)
from headgate.tables.payment import Payment

CHARACTERS_MAX = 100_000
"""Characters of a value that are shown."""
HEADER_CHARACTERS_MAX = 1000

_ADAPTERS: Mapping[str, tuple[str, TypeAdapter[Any]]] = {
    PAYMENT_COMMANDS.name: ("command", COMMAND),
    PAYMENT_FACTS.name: ("fact", FACT),
    ACQUIRER_REQUESTS.name: ("call of a bank", ACQUIRER_REQUEST),
    WEBHOOKS_READY.name: ("wanted attempt", DELIVERY_WANTED),
    WEBHOOKS_ATTEMPTS.name: ("attempt", ATTEMPT_MADE),
    WEBHOOKS_EVENTS.name: ("event", OPERATIONAL_EVENT),
}
_NOTICE = ("notice", DELIVERY_NOTED)
_OPEN_PAYMENT: tuple[str, TypeAdapter[Any]] = ("open payment", TypeAdapter(Payment))


@dataclass(frozen=True, slots=True)
class Readable:
    """A record for people. No card number is in it, whoever wrote the record."""

    kind: str
    """Such as `command payment.create`; `tombstone`; `unreadable`."""
    problem: str
    """Why no model accepts it; empty when one does."""
    key: str
    text: str
    """The value, JSON indented."""
    headers: tuple[tuple[str, str], ...]
    payment_id: str | None


def readable(topic: str, record: Record) -> Readable:
    """`record` of the topic with this short name."""
    headers = tuple((name, _text(value, HEADER_CHARACTERS_MAX)) for name, value in record.headers)
    key = _text(record.key, HEADER_CHARACTERS_MAX)
    kind, problem = _kind(_source(topic, record), record)
    document = _document(record.value)
    return Readable(
        kind=kind,
        problem=problem,
        key=key,
        text=_shown(record.value, document),
        headers=headers,
        payment_id=_payment_id(key, document),
    )


def _source(topic: str, record: Record) -> str:
    """The topic whose model a record is of: what waits or is dead is what it was."""
    if topic.startswith("delay."):
        target = dict(record.headers).get(TARGET, b"").decode(errors="replace")
        return next((name for name in _ADAPTERS if target.endswith(name)), "")
    return topic.removesuffix(".dead")


def _kind(topic: str, record: Record) -> tuple[str, str]:
    if record.value is None:
        return "tombstone", ""
    if topic.endswith(f"{OPEN_PAYMENTS_TABLE}-changelog"):
        what, adapter = _OPEN_PAYMENT
    elif topic == WEBHOOKS_ATTEMPTS.name and NOTICE in dict(record.headers):
        what, adapter = _NOTICE
    elif topic in _ADAPTERS:
        what, adapter = _ADAPTERS[topic]
    else:
        return "unreadable", "nothing says what it is"
    if CANCEL in dict(record.headers):
        what = "cancellation"
    try:
        model = decode(adapter, record.value)
    except CannotDecode as error:
        return "unreadable", masked(str(error))
    return f"{what} {getattr(model, 'type', '')}".strip(), ""


def _document(value: bytes | None) -> Any:
    try:
        return json.loads(value or b"null")
    except ValueError:  # no JSON, or no UTF-8
        return None


def _shown(value: bytes | None, document: Any) -> str:
    if value is None:
        return ""
    if isinstance(document, dict | list):
        text = json.dumps(document, indent=2, ensure_ascii=False)
        return _cut(masked(text), CHARACTERS_MAX)
    return _text(value, CHARACTERS_MAX)


def _text(value: bytes, most: int) -> str:
    """Bytes as text; a NUL and what is no UTF-8 as a question mark in a diamond."""
    text = value.decode(errors="replace").replace("\0", "\ufffd")
    return _cut(masked(text[: most + 1]), most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}\n… (longer than {most:,} characters)"


def _payment_id(key: str, document: Any) -> str | None:
    if key.startswith("pay_"):
        return key
    found = document.get("payment_id") if isinstance(document, dict) else None
    return found if isinstance(found, str) and found.startswith("pay_") else None
