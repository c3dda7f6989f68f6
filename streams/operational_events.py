"""Operational events: what happened to a merchant's endpoints and deliveries, told like facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from headgate.streams import ids
from headgate.streams.bus import Record
from headgate.streams.clock import iso
from headgate.streams.codec import dataschema, encode, event_headers
from headgate.streams.commands import Mode
from headgate.streams.deliveries import TIME_MS_MAX, AttemptMade, Kind
from headgate.streams.facts import API_VERSION, Time
from headgate.streams.settings import Settings
from headgate.streams.topics import WEBHOOKS_EVENTS

OperationalType = Literal[
    "webhook.test",
    "webhook_endpoint.disabling",
    "webhook_endpoint.disabled",
    "webhook_endpoint.enabled",
    "webhook_endpoint.recovered",
    "delivery.exhausted",
]
"""Everything that can be told of endpoints and deliveries. Endpoints ask for these as they ask
for facts: exactly, by prefix, or with everything."""
OPERATIONAL_TYPES: tuple[OperationalType, ...] = get_args(OperationalType)
DisabledReason = Literal["gone", "failing", "merchant", "unverified"]
"""It answered 410; nothing arrived for days; its owner asked; it did not prove to be wanted."""

ERROR_CHARACTERS_MAX = 500
"""Characters of an error that an event repeats: anybody may write to the log, and what it tells of
must fit into a record."""
TARGET = "endpoint-id"
"""The header of an event that is for one endpoint alone, whatever that asked for."""


class EndpointNamed(BaseModel):
    """The endpoint that an event is about. Its URL may hold a secret and is not told."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    merchant_id: str


class Failing(BaseModel):
    """How long nothing has got through to an endpoint."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    since: Time
    """The first attempt that failed with no success behind it."""
    attempts: int
    """Those that have failed since."""
    percent: int = Field(ge=0, le=100)
    """How far this has come towards disabling it: 50, 80 or 100."""
    disables_at: Time
    """When a further failure disables it, at the earliest."""


class LastAttempt(BaseModel):
    """How the last attempt of a delivery ended."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    kind: Kind
    status_code: int | None
    error: str | None
    at: Time


class DeliveryExhausted(BaseModel):
    """A delivery that failed for good; it can still be retried by hand, or replayed."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    id: str
    object: Literal["webhook_delivery"] = "webhook_delivery"
    event_id: str
    """The `webhook-id` under which it was tried."""
    event_type: str
    payment_id: str | None
    attempts: int
    """Tries of its schedule."""
    last_attempt: LastAttempt


def _absent(value: object) -> bool:
    return value is None


class OperationalData(BaseModel):
    """What an operational event is about."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    endpoint: EndpointNamed
    reason: DisabledReason | None = Field(default=None, exclude_if=_absent)
    failing: Failing | None = Field(default=None, exclude_if=_absent)
    delivery: DeliveryExhausted | None = Field(default=None, exclude_if=_absent)


class OperationalEvent(BaseModel):
    """One thing that happened to an endpoint or a delivery: the body of a webhook, as a fact is,
    but about no payment, so that it has no `sequence`."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    v: Literal[1] = 1
    id: str
    event: OperationalType
    type: OperationalType
    timestamp: int
    """Unix seconds."""
    created_at: Time
    api_version: Literal["v1"] = API_VERSION
    livemode: bool
    data: OperationalData


OPERATIONAL_EVENT: TypeAdapter[OperationalEvent] = TypeAdapter(OperationalEvent)


@dataclass(frozen=True, slots=True)
class EventBytes:
    """An operational event whose bytes are frozen, as it is stored and sent."""

    event_id: str
    type: str
    merchant_id: str
    mode: Mode
    created_at_ms: int
    payload: bytes
    endpoint_id: str | None = None
    """The one endpoint that it is for; None for all that ask for its type."""

    def record(self, settings: Settings) -> Record:
        """The record of `webhooks.events`. All of a merchant stand in order; its time is the
        event's own, so that telling it again makes no other delivery."""
        time = iso(self.created_at_ms)
        headers = [
            *event_headers(b"/headgate/webhooks", self.type, self.event_id, time),
            dataschema(self.type),
            ("merchant-id", self.merchant_id.encode()),
            ("livemode", b"true" if self.mode == "live" else b"false"),
        ]
        if self.endpoint_id is not None:
            headers.append((TARGET, self.endpoint_id.encode()))
        return Record(
            topic=WEBHOOKS_EVENTS.full_name(settings),
            partition=ids.partition_of(self.merchant_id, settings.partitions),
            key=self.merchant_id.encode(),
            value=self.payload,
            headers=tuple(headers),
            timestamp_ms=self.created_at_ms,
        )


def operational_event(
    event_type: OperationalType, data: OperationalData, mode: Mode, at_ms: int, *cause: str
) -> EventBytes:
    """The event that `cause` made of the endpoint: its id is derived, so that telling it again
    tells nothing new (00 A2). A test is for its endpoint alone."""
    event = OperationalEvent(
        id=ids.operational_event_id(event_type, data.endpoint.id, *cause),
        event=event_type,
        type=event_type,
        timestamp=at_ms // 1000,
        created_at=iso(at_ms),
        livemode=mode == "live",
        data=data,
    )
    return EventBytes(
        event_id=event.id,
        type=event_type,
        merchant_id=data.endpoint.merchant_id,
        mode=mode,
        created_at_ms=at_ms,
        payload=encode(event),
        endpoint_id=data.endpoint.id if event_type == "webhook.test" else None,
    )


def webhook_test(endpoint: EndpointNamed, mode: Mode, key: str, at_ms: int) -> EventBytes:
    """A test of one endpoint. Under one idempotency key it is one event."""
    return operational_event("webhook.test", OperationalData(endpoint=endpoint), mode, at_ms, key)


def exhausted(made: AttemptMade) -> EventBytes | None:
    """What to tell when this was the last attempt of its delivery and failed; None when the
    delivery goes on, has arrived, or is itself about an operational event: of those nothing is
    told, or one dead endpoint would talk about itself for ever."""
    aside = made.manual or made.probe
    over = made.next_attempt is None and made.kind != "success" and not aside
    if not over or made.type in OPERATIONAL_TYPES:
        return None
    last = LastAttempt(
        kind=made.kind,
        status_code=made.status_code,
        error=made.error and made.error[:ERROR_CHARACTERS_MAX],
        at=iso(made.started_at_ms),
    )
    delivery = DeliveryExhausted(
        id=made.delivery_id,
        event_id=made.event_id,
        event_type=made.type,
        payment_id=made.payment_id,
        attempts=made.attempt,
        last_attempt=last,
    )
    endpoint = EndpointNamed(id=made.endpoint_id, merchant_id=made.merchant_id)
    data = OperationalData(endpoint=endpoint, delivery=delivery)
    at_ms = ended_at_ms(made)
    return operational_event("delivery.exhausted", data, made.mode, at_ms, made.delivery_id)


def ended_at_ms(made: AttemptMade) -> int:
    """When the attempt was over."""
    return min(made.started_at_ms + made.duration_ms, TIME_MS_MAX)


def endpoint_disabled(
    endpoint: EndpointNamed, mode: Mode, reason: DisabledReason, at_ms: int
) -> EventBytes:
    """It gets nothing more until it is enabled."""
    data = OperationalData(endpoint=endpoint, reason=reason)
    return operational_event("webhook_endpoint.disabled", data, mode, at_ms, str(at_ms))


def endpoint_enabled(endpoint: EndpointNamed, mode: Mode, at_ms: int) -> EventBytes:
    """It gets webhooks again."""
    data = OperationalData(endpoint=endpoint)
    return operational_event("webhook_endpoint.enabled", data, mode, at_ms, str(at_ms))


def endpoint_disabling(
    endpoint: EndpointNamed, mode: Mode, failing: Failing, at_ms: int
) -> EventBytes:
    """A warning: one per endpoint, beginning of its failure, and percent."""
    data = OperationalData(endpoint=endpoint, failing=failing)
    cause = failing.since, str(failing.percent)
    return operational_event("webhook_endpoint.disabling", data, mode, at_ms, *cause)


def endpoint_recovered(endpoint: EndpointNamed, mode: Mode, since: str, at_ms: int) -> EventBytes:
    """Something got through to an endpoint that had failed since then and was warned of."""
    data = OperationalData(endpoint=endpoint)
    return operational_event("webhook_endpoint.recovered", data, mode, at_ms, since)
