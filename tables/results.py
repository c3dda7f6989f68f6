"""What the edge answers about a decided command: JSON that is stored with the operation."""

from __future__ import annotations

import orjson

from headgate.streams.commands import (
    CancelRefund,
    ClientCommand,
    Command,
    CreatePayment,
    InquirePayment,
    RefundPayment,
    ResolvePayment,
)
from headgate.tables.inquiries import inquiry_of
from headgate.tables.payment import Payment
from headgate.tables.story import Refusal, Story


def result_of(story: Story, command: Command) -> bytes | None:
    """The resource as the decision left it: a refund for refunds, the question for inquiries, else
    the payment with the children that were made. None where no client asks, and for creates, whose
    answer the edge knows before (`tables/created.py`)."""
    if not isinstance(command, ClientCommand) or isinstance(command, CreatePayment):
        return None
    if isinstance(command, InquirePayment):
        return inquiry_of(story, command)
    owner, made = story.payment.owner, list(story.children.values())
    if made and isinstance(command, RefundPayment | CancelRefund | ResolvePayment):
        return made[-1].snapshot(owner).model_dump_json().encode()
    answer = _payment(story.payment)
    for child in made:
        member = child.snapshot(owner).model_dump_json().encode()
        answer = b'%s,"%s":%s}' % (answer[:-1], child.kind.encode(), member)
    return answer


def _payment(payment: Payment) -> bytes:
    return payment.snapshot().model_dump_json().encode()


def refusal_result(refusal: Refusal, command: Command) -> bytes | None:
    """Why a client's command was refused, so that every repeat is told the same."""
    if not isinstance(command, ClientCommand):
        return None
    return orjson.dumps(
        {
            "code": refusal.code,
            "detail": refusal.detail,
            "param": refusal.param,
            "request_id": command.request_id,
        }
    )
