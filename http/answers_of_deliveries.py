"""What is told about deliveries and their attempts, as models."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, PlainSerializer, WithJsonSchema

from headgate.http.answers_of_reading import ListAnswer
from headgate.streams.clock import iso
from headgate.streams.deliveries import Kind

Status = Literal["pending", "success", "failed", "held", "parked", "canceled"]
"""What has become of a delivery; the words of its row."""


def _iso(at: datetime) -> str:
    return iso(round(at.astimezone(UTC).timestamp() * 1000))


Time = Annotated[
    datetime,
    PlainSerializer(_iso, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2026-11-23T16:07:09.123Z"]}),
]


class TimingAnswer(BaseModel):
    """Milliseconds since the attempt began."""

    connect_ms: int | None = Field(
        description="When the connection stood: name looked up, connected, TLS done. 0 on one that "
        "was open; null when there was none."
    )
    first_byte_ms: int | None = Field(description="When the answer began.")
    total_ms: int = Field(description="When the attempt was over.")


class SentAnswer(BaseModel):
    """The request of an attempt. Its body is the event."""

    headers: dict[str, str] = Field(
        description="Besides host, user-agent, accept, content-type and content-length. The values "
        "of your own headers are hidden."
    )


class ReceivedAnswer(BaseModel):
    """What the receiver said."""

    status: int = Field(examples=[500])
    headers: dict[str, str] = Field(description="Cookies and credentials are hidden.")
    body: str = Field(description="The first 16 kB.")


class AttemptAnswer(BaseModel):
    """One attempt of a delivery."""

    id: str = Field(examples=["dlv_a3k5q2m7x4n6p3s5t2u4v6w7y2.1"])
    object: Literal["webhook_attempt"] = "webhook_attempt"
    delivery_id: str
    attempt: int = Field(description="Its place in the schedule; that of the last scheduled one "
                         "for those that a person asked for.")  # fmt: skip
    manual: bool = Field(description="Whether a person asked for it.")
    outcome: Kind = Field(
        description="success: a 2xx. rejected: another 4xx, or 410, which ends the delivery. "
        "failed: no answer, or one that may pass. blocked: an address that webhooks must not go to."
    )
    error: str | None = Field(description="What went wrong, for people.")
    started_at: Time
    timing: TimingAnswer
    request: SentAnswer
    response: ReceivedAnswer | None = Field(description="Null when there was no answer.")
    next_attempt_at: Time | None = Field(description="When the schedule goes on after it.")

    @classmethod
    def of(cls, row: dict[str, Any]) -> AttemptAnswer:
        """The attempt of a row of `webhook_attempts`."""
        timing = {name: row[name] for name in ("connect_ms", "first_byte_ms")}
        response = {
            "status": row["status_code"],
            "headers": row["answer_headers"],
            "body": row["answer"],
        }
        return cls.model_validate(
            row
            | {
                "id": row["token"],
                "outcome": row["kind"],
                "timing": timing | {"total_ms": row["duration_ms"]},
                "request": {"headers": row["request_headers"]},
                "response": None if row["status_code"] is None else response,
                "next_attempt_at": row["next_at"],
            }
        )


class WebhookDeliveryAnswer(BaseModel):
    """One event on its way to one endpoint."""

    id: str = Field(examples=["dlv_a3k5q2m7x4n6p3s5t2u4v6w7y2"])
    object: Literal["webhook_delivery"] = "webhook_delivery"
    livemode: bool
    endpoint_id: str
    event_id: str = Field(description="Also the `webhook-id` of every attempt.")
    type: str = Field(description="The event's type.", examples=["payment.success"])
    payment_id: str | None = Field(description="Null for events that are about no payment.")
    replay_id: str | None = Field(description="The replay that made this delivery.")
    status: Status = Field(
        description="pending: an attempt is due or under way. success: the receiver has it. "
        "failed: nothing follows by itself. held: waits until its endpoint answers again or has a "
        "place. parked: waits until its endpoint is enabled. canceled: nothing follows."
    )
    attempt_count: int
    last_attempt_at: Time | None
    next_attempt_at: Time | None = Field(description="Not before then.")
    waiting_in: str | None = Field(
        description="The delay topic that the next attempt waits in.",
        examples=["delay.30m"],
    )
    response_status: int | None = Field(description="That of the last attempt.")
    created_at: Time = Field(description="When the event, or the replay, was made.")
    attempts: list[AttemptAnswer] | None = Field(
        default=None, description="With `expand[]=attempts`: the last 100, newest first."
    )


class WebhookDeliveryList(ListAnswer):
    """A page of deliveries, newest first."""

    data: list[WebhookDeliveryAnswer]


class WebhookAttemptList(ListAnswer):
    """A page of attempts, newest first."""

    data: list[AttemptAnswer]
