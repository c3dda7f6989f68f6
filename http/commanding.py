"""From what a request wants of a payment to the command that the log gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headgate.http.askers import Asker
from headgate.http.submission import Submission, fingerprint_of, record_of
from headgate.streams import ids
from headgate.streams.clock import now_ms
from headgate.streams.commands import ClientCommand
from headgate.streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request wants of a payment. Everything but `members` makes its fingerprint."""

    model: type[ClientCommand]
    payment_id: str
    route: str
    """Method and template."""
    parts: Mapping[str, str]
    """The parts of the path."""
    said: Mapping[str, Any]
    """The canonical body."""
    members: Mapping[str, Any] = field(default_factory=dict)
    """The command's own members."""


class Commander:
    """Makes commands, and lets settle know which process waits for their decision."""

    def __init__(self, settings: Settings, reply_to: str) -> None:
        self._settings = settings
        self._reply_to = reply_to

    def submission(self, wanted: Wanted, asker: Asker, request_id: str) -> Submission:
        """The command that was asked for, now."""
        api_key, key = asker
        operation = wanted.model.model_fields["type"].default
        command = wanted.model(
            command_id=ids.command_id(wanted.payment_id, operation, key.text),
            payment_id=wanted.payment_id,
            merchant_id=api_key.merchant_id,
            mode=api_key.mode,
            fingerprint=fingerprint_of(wanted.route, wanted.parts, wanted.said),
            idempotency_key=key.as_given,
            key_id=key.id_as_given,
            request_id=request_id,
            actor=api_key.id,
            reply_to=self._reply_to,
            **wanted.members,
        )
        return Submission(
            command_id=command.command_id,
            payment_id=wanted.payment_id,
            type=operation,
            request_id=request_id,
            key=key,
            fingerprint=command.fingerprint,
            record=record_of(self._settings, command, now_ms()),
        )
