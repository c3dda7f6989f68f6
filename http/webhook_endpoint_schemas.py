"""What requests about webhook endpoints may say, and what they are answered."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from headgate.http.schemas import SECRET_CHARACTERS_MAX, Asked, one_line, some_text
from headgate.http.webhook_headers import checked_headers
from headgate.streams.custom_headers import HEADERS_MAX
from headgate.streams.event_filters import selects_any
from headgate.streams.facts import FactType
from headgate.streams.operational_events import OPERATIONAL_TYPES
from headgate.streams.secrets import is_masked
from headgate.streams.signatures import signing_key
from headgate.streams.targets import URL_CHARACTERS_MAX
from headgate.tables.endpoint import DisabledReason, EndpointStatus
from headgate.tables.schedules import (
    CUSTOM_WAIT_MAX_MS,
    CUSTOM_WAIT_MIN_MS,
    CUSTOM_WAITS_MAX,
    Schedule,
)

EVENT_TYPES: tuple[str, ...] = (*get_args(FactType), *OPERATIONAL_TYPES)
"""What an endpoint can ask for by name."""
FILTERS_MAX = 100
FILTER_CHARACTERS_MAX = 64
DESCRIPTION_CHARACTERS_MAX = 500
RATE_MAX = 10_000
OVERLAP_S = 86_400
OVERLAP_S_MAX = 7 * 86_400
KEY_BYTES_MIN = 24
"""The shortest key that Standard Webhooks takes."""
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


def _event_filter(text: str) -> str:
    if not selects_any(text, EVENT_TYPES):
        raise PydanticCustomError(
            "event_type", "it must be an event type, a prefix such as payment.*, or *"
        )
    return text


def _own_secret(text: str) -> str:
    if not _PRINTABLE.fullmatch(text) or len(signing_key(text)) < KEY_BYTES_MIN:
        raise PydanticCustomError(
            "secret",
            "it must be whsec_ and the base64 of at least 24 bytes, or 24 printable characters",
        )
    return text


def _masked(text: str) -> str:
    if not is_masked(text):
        raise PydanticCustomError("secret", "it is changed by rotate_secret, which lets both sign")
    return text


EventFilter = Annotated[
    str, Field(min_length=1, max_length=FILTER_CHARACTERS_MAX), AfterValidator(_event_filter)
]
EventTypes = Annotated[list[EventFilter], Field(min_length=1, max_length=FILTERS_MAX)]
Url = Annotated[str, Field(min_length=1, max_length=URL_CHARACTERS_MAX), AfterValidator(one_line)]
EndpointDescription = Annotated[
    str, Field(max_length=DESCRIPTION_CHARACTERS_MAX), AfterValidator(some_text)
]
Wait = Annotated[int, Field(ge=CUSTOM_WAIT_MIN_MS // 1000, le=CUSTOM_WAIT_MAX_MS // 1000)]
Waits = Annotated[list[Wait], Field(min_length=1, max_length=CUSTOM_WAITS_MAX)]
Headers = Annotated[dict[str, str], Field(max_length=HEADERS_MAX), AfterValidator(checked_headers)]
Rate = Annotated[int, Field(ge=0, le=RATE_MAX)]
OwnSecret = Annotated[
    str, Field(min_length=1, max_length=SECRET_CHARACTERS_MAX), AfterValidator(_own_secret)
]
MaskedSecret = Annotated[
    str, Field(min_length=1, max_length=SECRET_CHARACTERS_MAX), AfterValidator(_masked)
]


class EndpointChangeRequest(Asked):
    """The body of `PATCH /webhook_endpoints/{id}`: what is left out stays as it is."""

    url: Url | None = Field(
        default=None,
        description="Where events are sent: https on a public host, on port 443 or from 1024. In "
        "live mode its receiver has to agree first.",
        examples=["https://example.com/webhooks"],
    )
    event_types: EventTypes | None = Field(
        default=None,
        description="Which events: exact types, prefixes such as `refund.*`, or `*`.",
        examples=[["payment.success", "refund.*"]],
    )
    description: EndpointDescription | None = Field(
        default=None, description="For people. Empty is none."
    )
    schedule: Schedule | None = Field(
        default=None,
        description="The waits between attempts. `standard`: 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 "
        "and 24 h, the default; `seed`: 1, 5, 30 and 120 min; `custom`: those in `waits_s`.",
    )
    waits_s: Waits | None = Field(
        default=None,
        description="The waits of a custom schedule in seconds, 20 at most, each up to 72 h.",
        examples=[[5, 60, 3600]],
    )
    headers: Headers | None = Field(
        default=None,
        repr=False,
        description="Headers that every attempt carries; they replace all there were. Values are "
        "encrypted and shown masked; a masked value sent back stays as it is.",
        examples=[{"X-Tenant": "shop-7"}],
    )
    rate_per_s: Rate | None = Field(
        default=None, description="Attempts a second at most; 0 is no limit.", examples=[20]
    )
    asymmetric: bool | None = Field(
        default=None,
        description="Whether attempts bear a `v1a` signature (ed25519) beside the others, which is "
        "verified with `public_key`.",
    )
    fifo: bool | None = Field(
        default=None,
        description="One delivery after the other, in the order of events. Slower: the next one "
        "waits until this one has arrived or is given up.",
    )
    fifo_blocks: bool | None = Field(
        default=None,
        description="Whether a delivery that is given up stops those behind it until somebody "
        "retries or cancels it, instead of being passed.",
    )
    secret: MaskedSecret | None = Field(
        default=None,
        repr=False,
        description="The masked secret as it was read, which changes nothing.",
        examples=["whsec_…9Q4="],
    )


class EndpointRequest(EndpointChangeRequest):
    """The body of `POST /webhook_endpoints`."""

    url: Url = Field(
        description="Where events are sent: https on a public host, on port 443 or from 1024. In "
        "live mode its receiver has to agree first.",
        examples=["https://example.com/webhooks"],
    )
    event_types: EventTypes = Field(
        description="Which events: exact types, prefixes such as `refund.*`, or `*`.",
        examples=[["payment.success", "refund.*"]],
    )
    secret: OwnSecret | None = Field(
        default=None,
        repr=False,
        description="A secret of your own, to move over from elsewhere. One is drawn otherwise.",
    )


class RotateSecretRequest(Asked):
    """The body of `POST /webhook_endpoints/{id}/rotate_secret`."""

    overlap_s: Annotated[int, Field(ge=0, le=OVERLAP_S_MAX)] = Field(
        default=OVERLAP_S,
        description="For how many seconds the old secrets sign beside the new one. 0 ends all of "
        "them at once: for one that has leaked.",
    )
    secret: OwnSecret | None = Field(
        default=None, repr=False, description="A secret of your own; one is drawn otherwise."
    )


class OlderSecretAnswer(BaseModel):
    """A rotated secret that still signs."""

    secret: str = Field(description="Masked.")
    expires_at: str


class EndpointAnswer(BaseModel):
    """A webhook endpoint. Secrets and values of headers are masked."""

    id: str = Field(examples=["whe_aaaaaaaaaaaaaaaaaaaaaaaaaa"])
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    livemode: bool
    url: str
    event_types: list[str]
    description: str | None
    is_default: bool = Field(description="Whether `PUT /webhooks/settings` is about this one.")
    status: EndpointStatus
    disabled_reason: DisabledReason | None = Field(
        description="`gone`: it answered 410. `failing`: nothing arrived for five days. "
        "`merchant`: you asked for it. `unverified`: its receiver has not agreed."
    )
    disabled_at: str | None
    schedule: Schedule
    waits_s: list[int] = Field(description="Of a custom schedule.")
    headers: dict[str, str]
    rate_per_s: int | None
    allowed_per_min: int | None = Field(
        description="Attempts a minute that the receiver allowed when it agreed."
    )
    fifo: bool
    fifo_blocks: bool
    asymmetric: bool
    public_key: str | None = Field(description="Of `v1a` signatures: `whpk_` + base64.")
    secret: str
    older_secrets: list[OlderSecretAnswer]
    verified_at: str | None = Field(description="When the receiver agreed to this URL.")
    verification_error: str | None = Field(description="Why it did not, the last time.")
    created_at: str
    updated_at: str
    deleted_at: str | None


class EnabledAnswer(EndpointAnswer):
    """A webhook endpoint that is enabled."""

    missed_since: str | None = Field(
        description="Since when it was disabled. Events of that time made no deliveries; replay "
        "them if you want them. Null when it was enabled already."
    )


class NewSecretAnswer(EndpointAnswer):
    """A webhook endpoint whose secret was made just now."""

    secret: str = Field(
        description="In clear, this once. A repeat under the same Idempotency-Key shows it again "
        "for five minutes; later it is masked."
    )
    standard_secret: str | None = Field(
        description="The same secret as libraries of Standard Webhooks take it, where that is "
        "another text; null when the secret is masked."
    )


class WebhookTestAnswer(BaseModel):
    """A test that is on its way: an event that goes to this endpoint alone."""

    id: str = Field(description="The event, which is the `webhook-id`.", examples=["evt_aaaa"])
    object: Literal["event"] = "event"
    type: Literal["webhook.test"] = "webhook.test"
    livemode: bool
    endpoint_id: str
    delivery_id: str = Field(
        description="What came of it: `GET /webhook_deliveries/{id}`, a moment later."
    )


class EndpointList(BaseModel):
    """A page of webhook endpoints, newest first."""

    object: Literal["list"] = "list"
    data: list[EndpointAnswer]
    has_more: bool
    next_cursor: str | None = Field(description="Send it as `starting_after` for the next page.")
