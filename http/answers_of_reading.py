"""What reads answer, as models: lists, payments with their children, timelines, events."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from headgate.streams.facts import ChildSnapshot, Fact, FactType, PaymentSnapshot, Request
from headgate.tables.inquiries import Inquiry

_POSITION = Field(
    description="What had been settled when this was read, such as `payments.commands/3@18422`; "
    "several partitions are separated by commas. Send it as `Consistent-With` to read no less.",
    examples=["payments.commands/0@17,payments.commands/3@18422"],
)
_CURSOR = Field(description="Send it as `starting_after` (or `ending_before`) for the next page.")


class ListAnswer(BaseModel):
    """A page of a list."""

    object: Literal["list"]
    has_more: bool
    next_cursor: str | None = _CURSOR
    position: str | None = _POSITION


class PaymentList(ListAnswer):
    """A page of payments, newest first."""

    data: list[PaymentSnapshot]


class ChildList(ListAnswer):
    """A page of captures, voids, refunds, reversals or increments, newest first."""

    data: list[ChildSnapshot]


class PaymentAnswer(PaymentSnapshot):
    """A payment; with `expand[]` also its children, oldest first."""

    captures: list[ChildSnapshot] = Field(default=[], description="With `expand[]=captures`.")
    voids: list[ChildSnapshot] = Field(default=[], description="With `expand[]=voids`.")
    refunds: list[ChildSnapshot] = Field(default=[], description="With `expand[]=refunds`.")
    reversals: list[ChildSnapshot] = Field(default=[], description="With `expand[]=reversals`.")
    increments: list[ChildSnapshot] = Field(default=[], description="With `expand[]=increments`.")


class CommandAnswer(BaseModel):
    """The command behind an entry of a timeline."""

    id: str
    type: str = Field(examples=["payment.capture", "acquirer.answer", "payment.timer"])


class RefusalAnswer(BaseModel):
    """Why a command changed nothing."""

    code: str = Field(examples=["capture_exceeds_authorized"])
    detail: str | None
    param: str | None


class TimelineEntry(BaseModel):
    """A fact, a command that was refused, or a question to the bank that was asked by hand."""

    kind: Literal["fact", "refused", "inquiry"]
    sequence: int | None = Field(description="Of the fact; there are no gaps in a payment.")
    event_id: str | None
    type: FactType | None
    change: dict[str, tuple[Any, Any]] = Field(
        description="What changed of the payment: before and after.",
        examples=[{"state": ["authorized", "captured"]}],
    )
    child: ChildSnapshot | None = Field(description="The capture, refund ... that it is about.")
    refusal: RefusalAnswer | None
    inquiry: Inquiry | None = Field(default=None, description="With the kind `inquiry` only.")
    request: Request
    topic: str
    partition: int
    offset: int = Field(description="Of the command that decided it, on `topic`.")
    log_position: str
    created_at: str
    command: CommandAnswer
    actor: str | None = Field(
        description="The API key that asked; who asked in the dashboard, as `operator:opr_…` or "
        "`merchant_user:usr_…`; `acquirer` or `timer`."
    )


class TimelineAnswer(ListAnswer):
    """A page of a payment's life, oldest first."""

    data: list[TimelineEntry]


class EventList(ListAnswer):
    """A page of events, oldest first. While `has_more` is true it may be short, even empty, when a
    filter fits little."""

    next_cursor: str = Field(description="Send it as `after` for what follows, also later.")
    data: list[Fact]
