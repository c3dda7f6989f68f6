"""What requests about replays of webhooks may say, and what they are answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from headgate.http.schemas import Asked, Time, one_line
from headgate.tables.replays import Reason, Status, Which

RATE_MAX = 10_000
TYPES_MAX = 32
TEXT_CHARACTERS_MAX = 100

EndpointId = Annotated[
    str, Field(min_length=1, max_length=TEXT_CHARACTERS_MAX), AfterValidator(one_line)
]
EventFilter = Annotated[
    str,
    Field(max_length=TEXT_CHARACTERS_MAX, pattern=r"^(\*|[a-z0-9_]+(\.[a-z0-9_]+)*(\.\*)?)$"),
]
"""An exact type, a prefix such as `payment.*`, or `*`."""


class ReplayRequest(Asked):
    """The body of `POST /webhook_replays`."""

    endpoint_id: EndpointId = Field(
        description="Where to; it may be younger than the events.", examples=["whe_a1b2c3"]
    )
    from_ms: Time = Field(
        validation_alias="from",
        description="Events from this time on, that of their `created_at`.",
        examples=["2026-11-20T00:00:00Z"],
    )
    to_ms: Time | None = Field(
        default=None,
        validation_alias="to",
        description="Events before this time; now, which is the default, at the latest.",
        examples=["2026-11-23T09:30:00Z"],
    )
    types: Annotated[list[EventFilter], Field(min_length=1, max_length=TYPES_MAX)] | None = Field(
        default=None,
        description="Exact types, prefixes such as `payment.*`, or `*`. Without any: with `failed` "
        "every one, else those that the endpoint subscribes to.",
        examples=[["payment.*"]],
    )
    only: Which = Field(
        default="failed",
        description="`failed`: events of which no delivery to the endpoint has arrived or may "
        "still arrive. `all`: every event that fits, whether or not it was ever sent there. "
        "`missing`: those that were never sent there.",
    )
    rate_per_s: Annotated[int, Field(ge=1, le=RATE_MAX)] | None = Field(
        default=None,
        description="Events a second at most; null is as fast as the endpoint takes them.",
        examples=[50],
    )
    dry_run: bool = Field(default=False, description="Count only; nothing is sent.")


class ReplayAnswer(BaseModel):
    """A replay of webhooks, and how far it is."""

    id: str = Field(examples=["rpl_abcdefghijklmnopqrstuvwxyz"])
    object: Literal["webhook_replay"] = "webhook_replay"
    livemode: bool
    endpoint_id: str
    from_: str = Field(serialization_alias="from")
    to: str = Field(description="Events before this time.")
    types: list[str] = Field(description="None are all of them.")
    only: Which
    rate_per_s: int | None
    dry_run: bool
    status: Status = Field(
        description="`counting` what there is, then `sending` it. `completed`: all of it is sent, "
        "or counted in a dry run; deliveries go on by the endpoint's schedule."
    )
    reason: Reason | None = Field(description="Why it is paused or canceled.")
    found: int = Field(description="Events that were counted, so far while `counting`.")
    sent: int = Field(description="Events whose delivery was begun.")
    delivered: int = Field(description="Of these, those that have arrived.")
    failed: int = Field(description="Of these, those that are given up.")
    created_at: str
    ended_at: str | None


class ReplayList(BaseModel):
    """A page of replays, newest first."""

    object: Literal["list"] = "list"
    data: list[ReplayAnswer]
    has_more: bool
    next_cursor: str | None = Field(description="Send it as `starting_after` for the next page.")
    position: str | None = Field(description="Up to where the log is shown.")
