"""A webhook endpoint: what its merchant may say about it, and what PostgreSQL has.

EndpointError
├── EndpointUnknown         there is none, or it is another's
├── EndpointDeleted         a tombstone does not change any more
├── EndpointUnverified      the receiver of live webhooks has not agreed yet
├── EndpointRequestDiffers  the idempotency key made something for another request
├── TooManyEndpoints
└── TooManySecrets
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal

import orjson

from headgate.streams.commands import Mode
from headgate.streams.errors import HeadgateError
from headgate.tables.configuration import EndpointSecret
from headgate.tables.postgres import Row
from headgate.tables.schedules import Schedule

EndpointStatus = Literal["enabled", "disabled", "deleted"]
DisabledReason = Literal["gone", "failing", "merchant", "unverified"]
Owner = tuple[str, str]
"""A merchant and a mode."""


class EndpointError(HeadgateError):
    """Something that an endpoint refuses."""


class EndpointUnknown(EndpointError):
    """There is no such endpoint, or it is another's."""


class EndpointDeleted(EndpointError):
    """The endpoint is there no more; what is left of it does not change."""


class EndpointUnverified(EndpointError):
    """The receiver has not agreed to webhooks, which it must before live ones are sent."""


class EndpointRequestDiffers(EndpointError):
    """The idempotency key made an endpoint or a secret for another request."""


class TooManyEndpoints(EndpointError):
    """The merchant has as many endpoints of this mode as it may have, or made too many today."""


class TooManySecrets(EndpointError):
    """As many secrets sign as may do so at a time."""


@dataclass(frozen=True, slots=True)
class EndpointWanted:
    """What a merchant may say about an endpoint."""

    url: str
    event_types: Sequence[str]
    description: str | None = None
    schedule: Schedule = "standard"
    waits_ms: Sequence[int] = ()
    sealed_headers: str | None = None
    rate_per_s: int | None = None
    fifo: bool = False
    fifo_blocks: bool = False
    sealed_signing_key: str | None = None


WANTED = tuple(field.name for field in fields(EndpointWanted))
"""The columns of it, in the order of the statements that write them."""
SEALED = frozenset({"sealed_headers", "sealed_signing_key"})
"""Those that nobody may read."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the receiver said when it was asked for permission."""

    error: str | None = None
    """Why not; None when it agreed."""
    allowed_per_min: int | None = None
    """How many attempts a minute it allows; None is any number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEndpoint(EndpointWanted):
    """An endpoint as PostgreSQL has it."""

    id: str
    merchant_id: str
    mode: Mode
    is_default: bool
    sealed_secret: str
    older_secrets: Sequence[EndpointSecret]
    """Rotated ones whose overlap runs, oldest first."""
    enabled: bool
    allowed_per_min: int | None
    request: str | None
    verified_at: datetime | None
    verification_error: str | None
    disabled_at: datetime | None
    disabled_reason: DisabledReason | None
    deleted_at: datetime | None
    created_at: datetime
    updated_at: datetime
    read_at: datetime
    """PostgreSQL's clock, which all the other times are of."""

    @property
    def status(self) -> EndpointStatus:
        """Whether events are sent there."""
        if self.deleted_at is not None:
            return "deleted"
        return "enabled" if self.enabled else "disabled"

    @property
    def may_be_enabled(self) -> bool:
        """Live webhooks need the consent of their receiver, whatever the endpoint was held for."""
        return self.mode == "test" or self.verified_at is not None

    @property
    def wanted(self) -> EndpointWanted:
        """What its merchant has said about it."""
        return EndpointWanted(**{name: getattr(self, name) for name in WANTED})


@dataclass(frozen=True, slots=True)
class Drawn:
    """The id and secret that a new endpoint is to have, and who asked for it by which request."""

    endpoint_id: str
    sealed_secret: str
    actor: str
    request: str
    """Hash of the request, by which its repeat is known."""


def stored_endpoint(row: Row) -> StoredEndpoint:
    """A row as an endpoint."""
    members = dict(row)
    older = orjson.loads(members.pop("older_secrets") or b"[]")
    return StoredEndpoint(
        **members, older_secrets=[EndpointSecret.model_validate(one) for one in older]
    )
