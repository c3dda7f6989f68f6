"""What notify says to itself on the log: attempts that are due, and attempts that were made."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from headgate.streams.commands import Id, Mode

Kind = Literal["success", "rejected", "failed", "blocked"]
What = Literal["held", "parked", "blocked", "canceled"]
Why = Literal["open", "crowded", "fifo", "unready", "disabled", "exhausted", "deleted", "asked"]
AttemptNumber = Annotated[int, Field(ge=1, le=10_000)]
TIME_MS_MAX = 253_402_300_799_999
TimeMs = Annotated[int, Field(ge=0, le=TIME_MS_MAX)]
"""Milliseconds since 1970, until the end of the year 9999: no calendar here reaches further."""
DurationMs = Annotated[int, Field(ge=0, le=2**31 - 1)]


class DeliveryWanted(BaseModel):
    """One attempt that is wanted (`webhooks.ready`, `delay.*`). It carries all that firing needs:
    a retry never looks anything up (lesson of outpost #1000)."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    v: Literal[1] = 1
    delivery_id: Id
    event_id: Id
    endpoint_id: Id
    merchant_id: Id
    payment_id: Id | None = None
    """None for events that are about no payment, such as `webhook.test`."""
    replay_id: Id | None = None
    """The replay that made this delivery; a replay alone makes a second one of an event."""
    mode: Mode
    type: Id
    """The event's type, such as `payment.success`."""
    attempt: AttemptNumber = 1
    """Place in the schedule: the n-th scheduled attempt."""
    token: Id
    """Unique per wanted attempt: derived for the schedule, with a nonce for retry-now (08 R28)."""
    manual: bool = False
    """Asked for by a person; its failure does not end or fork the schedule."""
    body: str
    """The fact's bytes, unchanged, as UTF-8 text."""
    created_at_ms: TimeMs
    """When the first attempt was wanted."""


class AttemptMade(BaseModel):
    """The outcome of one attempt (`webhooks.attempts`)."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    v: Literal[1] = 1
    delivery_id: Id
    event_id: Id
    endpoint_id: Id
    merchant_id: Id
    payment_id: Id | None = None
    replay_id: Id | None = None
    mode: Mode
    type: Id
    attempt: AttemptNumber
    token: Id
    manual: bool = False
    probe: bool = False
    """It tested whether a failing endpoint is back, and failed: it used up no try (08 R29)."""
    kind: Kind
    status_code: int | None
    """The receiver's HTTP status; None when there was no answer."""
    error: str | None
    """Why there was no answer, for people."""
    answer: str
    """The beginning of the answer's body."""
    request_headers: dict[str, str] = Field(default_factory=dict)
    """What was sent with the body; values of the merchant's own headers are masked."""
    answer_headers: dict[str, str] = Field(default_factory=dict)
    """The answer's headers, secrets masked."""
    connect_ms: DurationMs | None = None
    """Until there was a connection: looking up, connecting, TLS. 0 on one that was open."""
    first_byte_ms: DurationMs | None = None
    """Until the first byte of the answer."""
    created_at_ms: TimeMs | None = None
    """When the first attempt of the delivery was wanted; the same in all of its attempts."""
    started_at_ms: TimeMs
    duration_ms: DurationMs
    next_attempt: AttemptNumber | None
    """The scheduled attempt that follows, None when the delivery is over."""
    next_at_ms: TimeMs | None
    """Not before this time."""


class DeliveryNoted(BaseModel):
    """What a lane did with a wanted attempt instead of making it (`webhooks.attempts`, told apart
    by the header `notice`)."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    v: Literal[1] = 1
    what: What
    """`held` until the lane releases it, `parked` until its endpoint is enabled. `blocked`: it was
    given up, and holds up those behind it. `canceled`: no attempt follows."""
    why: Why
    """The breaker is open; no place or token; another goes first; the endpoint or its secret is
    not known here; it is disabled; no try is left; it was deleted; a person asked for it."""
    wanted: DeliveryWanted
    """The attempt, with all that making it needs."""
    hold: Annotated[int, Field(ge=1)]
    """How often this attempt was held, this time included."""
    position: Annotated[int, Field(ge=0)]
    """The place of its record in `webhooks.ready`."""
    fifo: bool = False
    """Whether the endpoint wants one delivery after the other."""
    at_ms: TimeMs


NOTICE = "notice"
"""The header of a DeliveryNoted."""
CANCEL = "cancel"
"""The header of a record on `webhooks.ready` that cancels the delivery instead of wanting an
attempt of it; its token is the command's own (08 R28)."""

DELIVERY_NOTED: TypeAdapter[DeliveryNoted] = TypeAdapter(DeliveryNoted)
DELIVERY_WANTED: TypeAdapter[DeliveryWanted] = TypeAdapter(DeliveryWanted)
ATTEMPT_MADE: TypeAdapter[AttemptMade] = TypeAdapter(AttemptMade)
