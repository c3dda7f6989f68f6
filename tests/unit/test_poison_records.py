"""What foreign writers may put on the log is refused when it is read, before anything is done."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from headgate.agents.notify import About, wanted_by
from headgate.streams.clock import from_ms
from headgate.streams.codec import decode, encode
from headgate.streams.commands import ACQUIRER_REQUEST, COMMAND
from headgate.streams.deliveries import ATTEMPT_MADE, DELIVERY_WANTED, AttemptMade, DeliveryWanted
from headgate.streams.engine.intake import Delivered
from headgate.streams.errors import CannotDecode
from headgate.tables.configuration import Endpoint
from headgate.tables.payments import decide
from tests.unit.builders import AT_MS, an_answer, create
from tests.unit.fakes import event

REQUEST = decide(None, create(), AT_MS).requests[0].request
WANTED = DeliveryWanted(
    delivery_id="dlv_1",
    event_id="evt_1",
    endpoint_id="ep_1",
    merchant_id="mer_1",
    payment_id="pay_1",
    mode="test",
    type="payment.success",
    token="t",
    body="{}",
    created_at_ms=AT_MS,
)
MADE = AttemptMade(
    **WANTED.model_dump(exclude={"body", "created_at_ms"}),
    kind="failed",
    status_code=None,
    error="connection refused",
    answer="",
    started_at_ms=AT_MS,
    duration_ms=3,
    next_attempt=2,
    next_at_ms=AT_MS + 60_000,
)
ENDPOINT = Endpoint(
    id="ep_1",
    merchant_id="mer_1",
    mode="test",
    is_default=True,
    url="https://shop.example/hook",
    sealed_secret="sealed",
    event_types=("*",),
    enabled=True,
)
OF_A_PAYMENT = ("payment_id", "merchant_id")
OF_A_DELIVERY = (*OF_A_PAYMENT, "delivery_id", "event_id", "endpoint_id", "type", "token")
YEAR_9999_ENDS_MS = 253_402_300_799_999


def changed(model: BaseModel, member: str, value: object) -> bytes:
    """The record of `model` as somebody else might write it."""
    return json.dumps(json.loads(encode(model)) | {member: value}).encode()


@pytest.mark.parametrize("value", ["m\0", "\0", "x" * 256])
@pytest.mark.parametrize(
    ("adapter", "model", "member"),
    [
        *((COMMAND, create(), name) for name in (*OF_A_PAYMENT, "command_id")),
        *((COMMAND, an_answer("approved"), name) for name in (*OF_A_PAYMENT, "attempt_id")),
        *((ACQUIRER_REQUEST, REQUEST, name) for name in (*OF_A_PAYMENT, "attempt_id")),
        *((DELIVERY_WANTED, WANTED, name) for name in OF_A_DELIVERY),
        *((ATTEMPT_MADE, MADE, name) for name in OF_A_DELIVERY),
    ],
)
def test_an_id_that_postgresql_would_refuse_is_undecodable(
    adapter: TypeAdapter[Any], model: BaseModel, member: str, value: str
) -> None:
    """A bank must not be asked for an answer that can never be stored (08 R6)."""
    with pytest.raises(CannotDecode, match=member):
        decode(adapter, changed(model, member, value))


@pytest.mark.parametrize("value", [-1, YEAR_9999_ENDS_MS + 1, 10**18])
@pytest.mark.parametrize(
    ("adapter", "model", "member"),
    [
        (DELIVERY_WANTED, WANTED, "created_at_ms"),
        (ATTEMPT_MADE, MADE, "started_at_ms"),
        (ATTEMPT_MADE, MADE, "next_at_ms"),
        (ATTEMPT_MADE, MADE, "duration_ms"),
    ],
)
def test_a_time_that_no_calendar_reaches_is_undecodable(
    adapter: TypeAdapter[Any], model: BaseModel, member: str, value: int
) -> None:
    with pytest.raises(CannotDecode, match=member):
        decode(adapter, changed(model, member, value))


def test_the_last_time_that_is_decodable_is_one_that_the_clock_can_tell() -> None:
    made = decode(ATTEMPT_MADE, changed(MADE, "started_at_ms", YEAR_9999_ENDS_MS))
    assert from_ms(made.started_at_ms).year == 9999


@pytest.mark.parametrize(
    ("event_id", "payment_id", "at_ms"),
    [("evt\0", "pay_1", AT_MS), ("evt_1", "p" * 256, AT_MS), ("evt_1", "pay_1", -1)],
)
def test_a_fact_of_which_no_delivery_can_be_made_is_undecodable(
    event_id: str, payment_id: str, at_ms: int
) -> None:
    fact = Delivered("payments.facts", 0, 0, b"", b"{}", {}, AT_MS, event(0))
    about = About(event_id, "payment.success", "mer_1", "test", at_ms)
    with pytest.raises(CannotDecode):
        wanted_by(ENDPOINT, about, fact, payment_id)
