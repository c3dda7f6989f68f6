"""What the edge answers, as models: for the OpenAPI document and for those who read it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from headgate.streams.facts import ChildSnapshot, PaymentSnapshot


class FlawAnswer(BaseModel):
    """One thing that is wrong with a request."""

    pointer: str = Field(description="JSON pointer into the body.", examples=["/amount"])
    code: str = Field(examples=["parameter_invalid"])
    detail: str


class SeedError(BaseModel):
    """The seed's error object."""

    code: str = Field(examples=["BAD_REQUEST_ERROR"])
    description: str


class ProblemAnswer(BaseModel):
    """Every error (RFC 9457). `code` is stable; `detail` is for people."""

    type: str = Field(examples=["/errors/parameter_invalid"])
    title: str
    status: int
    detail: str
    instance: str
    code: str
    param: str | None
    errors: list[FlawAnswer]
    decline_code: str | None
    advice_code: str | None
    retryable: bool = Field(description="Whether the same request may succeed later.")
    request_id: str
    error: str | SeedError = Field(description="The seed's envelope: a string where it had one.")


class PendingOperation(BaseModel):
    """A command that was taken and is not decided yet (202)."""

    id: str
    object: Literal["operation"]
    type: str
    payment_id: str
    status: Literal["pending"]


class OperationAnswer(BaseModel):
    """What became of a command. `result` is what its request was answered, or would have been."""

    id: str
    object: Literal["operation"] = "operation"
    type: str = Field(examples=["payment.refund"])
    payment_id: str
    status: Literal["pending", "succeeded", "refused"]
    status_code: int | None = Field(default=None, description="The status of that answer.")
    refusal: str | None = Field(default=None, description="The code of why it changed nothing.")
    result: dict[str, Any] | None = None
    log_position: str | None = Field(
        default=None, description="Absent while it waits in the outbox for the log."
    )


def _absent(value: object) -> bool:
    return value is None


class PaymentAnswer(PaymentSnapshot):
    """A payment as a command left it, with what the command made."""

    capture: ChildSnapshot | None = Field(default=None, exclude_if=_absent)
    void: ChildSnapshot | None = Field(default=None, exclude_if=_absent)
    refund: ChildSnapshot | None = Field(default=None, exclude_if=_absent)
    increment: ChildSnapshot | None = Field(default=None, exclude_if=_absent)


class DeliveryAnswer(BaseModel):
    """A webhook delivery as the seed lists it."""

    id: str
    merchant_id: str
    event: str
    payload: dict[str, Any] | None
    status: str = Field(examples=["pending", "success", "failed"])
    attempts: int
    last_attempt_at: str | None
    next_retry_at: str | None
    response_code: int | None
    response_body: str | None
    created_at: str


class WebhookConfig(BaseModel):
    """Where webhooks go. The secret is masked."""

    webhook_url: str | None
    webhook_secret: str | None


class WebhookList(BaseModel):
    """The seed's page of webhook deliveries."""

    data: list[DeliveryAnswer]
    total: int
    config: WebhookConfig
    limit: int
    offset: int


class SettingsAnswer(BaseModel):
    """The settings were stored. A secret that was drawn is shown this once."""

    success: Literal[True]
    message: str
    webhook_secret: str | None = None
    verification_error: str | None = Field(
        default=None,
        description="In live mode: why the receiver did not agree; nothing is sent there yet.",
    )


class RetryAnswer(BaseModel):
    """An attempt will be made now."""

    id: str
    status: Literal["pending"]
    message: str


class JobsAnswer(BaseModel):
    """The seed's job counters."""

    pending: int
    processing: int
    completed: int
    failed: int
    worker_status: Literal["running", "stopped"]


class ReadyAnswer(BaseModel):
    """Each dependency and worker role: `ok`, or what is wrong and what to do."""

    status: Literal["ok", "unwell"]
    checks: dict[str, str]
