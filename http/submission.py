"""A command on its way to the log: what was asked, under which key, as a record."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel

from headgate.streams import ids
from headgate.streams.bus import Record
from headgate.streams.clock import iso
from headgate.streams.codec import command_headers, encode
from headgate.streams.commands import CommandBase
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables.configuration import ApiKey


class Answer(NamedTuple):
    """A final answer, as every repeat of its request gets it."""

    status: int
    body: bytes
    request_id: str
    """The request that it answered first."""


class Key(NamedTuple):
    """The idempotency key of a request."""

    text: str
    given: bool
    """Whether the client brought it; a drawn one cannot have been used before."""
    id: str
    """The same on every route; of a create it is the payment's id (01 §7.4)."""

    @property
    def as_given(self) -> str | None:
        """What the client sent."""
        return self.text if self.given else None

    @property
    def id_as_given(self) -> str | None:
        """The id, for a key that the client may repeat."""
        return self.id if self.given else None


def key_for(api_key: ApiKey, given: str | None) -> Key:
    """The client's key, or one that is drawn for it."""
    text = given if given is not None else ids.draw_key()
    return Key(text, given is not None, ids.key_id(api_key.merchant_id, api_key.mode, text))


@dataclass(frozen=True, slots=True)
class Submission:
    """A command and what the edge has to know of it."""

    command_id: str
    payment_id: str
    type: str
    request_id: str
    key: Key
    fingerprint: str
    record: Record
    answer: Answer | None = None
    """What its client gets when the log has it; None when that has to be decided first."""

    @property
    def keyed(self) -> bool:
        """Whether the client brought the key."""
        return self.key.given


def record_of(settings: Settings, command: CommandBase, at_ms: int) -> Record:
    """A command as the log gets it, in its payment's partition."""
    kind: str = type(command).model_fields["type"].default
    return Record(
        topic=PAYMENT_COMMANDS.full_name(settings),
        partition=ids.partition_of(command.payment_id, settings.partitions),
        key=command.payment_id.encode(),
        value=encode(command),
        headers=command_headers(command, kind, iso(at_ms)),
        timestamp_ms=at_ms,
    )


def said(asked: BaseModel, *, without: str = "") -> dict[str, Any]:
    """What a body says: without what is ignored or the default, so that members added later
    change no old fingerprint."""
    defaults = _defaults(type(asked))
    values = {name: getattr(asked, name) for name in asked.model_fields_set if name != without}
    return {name: value for name, value in values.items() if value != defaults.get(name)}


@cache
def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    return {
        name: field.get_default(call_default_factory=True)
        for name, field in model.model_fields.items()
        if not field.is_required()
    }


def fingerprint_of(route: str, parts: Mapping[str, str], members: Mapping[str, Any]) -> str:
    """Hash of method and route template, parts of the path, and the canonical body (01 §7.4)."""
    place = f"{route}\n".encode()
    if parts:
        place += orjson.dumps(dict(parts), option=orjson.OPT_SORT_KEYS) + b"\n"
    return hashlib.sha256(place + orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).hexdigest()
