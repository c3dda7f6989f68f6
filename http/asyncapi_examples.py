"""Examples of the AsyncAPI document: what is really written for a few payments, made at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

import orjson

from headgate.http.asyncapi_lives import AT_MS, MERCHANT, Life
from headgate.streams import ids
from headgate.streams.bus import Record
from headgate.streams.clock import iso
from headgate.streams.codec import encode, fact_headers
from headgate.streams.commands import (
    AuthenticatePayment,
    CancelPayment,
    CancelRefund,
    CapturePayment,
    IncrementPayment,
    RefundPayment,
    ResolvePayment,
)
from headgate.streams.deliveries import AttemptMade, DeliveryWanted
from headgate.streams.facts import Fact
from headgate.streams.operational_events import (
    EndpointNamed,
    EventBytes,
    Failing,
    endpoint_disabled,
    endpoint_disabling,
    endpoint_enabled,
    endpoint_recovered,
    exhausted,
    webhook_test,
)
from headgate.streams.settings import Settings
from headgate.tables import deliveries
from headgate.tables.notices import Hold, notice

_SETTINGS = Settings.model_construct()
_ENDPOINT = EndpointNamed(id="whe_example", merchant_id=MERCHANT)


class Example(NamedTuple):
    """One published record."""

    headers: dict[str, str]
    payload: dict[str, Any]


@cache
def examples() -> dict[str, Example]:
    """One real record of each kind that the lives below lead to."""
    found: dict[str, Example] = {}
    for fact in _facts():
        headers = fact_headers(fact, MERCHANT)
        found.setdefault(fact.type, _example(headers, encode(fact)))
    for record in (*_attempts(), *(event.record(_SETTINGS) for event in _events())):
        example = _example(record.headers, record.value or b"")
        found.setdefault(example.headers["ce_type"], example)
    return found


def _example(headers: Iterable[tuple[str, bytes]], value: bytes) -> Example:
    return Example({name: text.decode() for name, text in headers}, orjson.loads(value))


def _facts() -> Iterator[Fact]:
    for life in (*_whole(), *_manual(), *_doubtful()):
        yield from life.facts


def _whole() -> Iterator[Life]:
    """Paid at once, refused, and asked for by the customer's bank."""
    yield Life("paid").bank("approved").ask(RefundPayment, amount=20_000).bank("approved")
    yield Life("refused").bank("declined", decline_code="insufficient_funds")
    asked = Life("asked").bank("challenged")
    yield asked.ask(AuthenticatePayment, outcome="succeeded").bank("approved")
    refund = (
        Life("taken-back")
        .bank("approved")
        .ask(RefundPayment, amount=20_000, submit_at_ms=AT_MS + 86_400_000)
    )
    last = refund.facts[-1].data.refund
    yield refund.ask(CancelRefund, refund_id=last.id if last else "")
    yield Life("not-refunded").bank("approved").ask(RefundPayment).bank("declined")


def _manual() -> Iterator[Life]:
    """Held first, then captured, raised or let go."""
    part = _held("part").ask(CapturePayment, amount=30_000, final=False).bank("approved")
    yield part.ask(CapturePayment).bank("approved")
    yield _held("larger").ask(IncrementPayment, amount=10_000).bank("approved")
    yield _held("not-larger").ask(IncrementPayment, amount=10_000).bank("declined")
    yield _held("not-captured").ask(CapturePayment).bank("declined")
    yield _held("let-go").ask(CancelPayment).bank("approved")
    yield _held("not-let-go").ask(CancelPayment).bank("declined")
    yield _held("over").time("hold", 8 * 86_400_000).bank("approved")


def _doubtful() -> Iterator[Life]:
    """The bank does not answer, or too late."""
    yield Life("back").bank("unknown").ask(CancelPayment).bank("approved").bank("approved")
    review = Life("not-back").bank("unknown").ask(CancelPayment).bank("approved").bank("declined")
    lost = review.facts[-1].data.reversal
    evidence = {"child_id": lost.id if lost else "", "evidence": "the bank's letter of today"}
    yield review.ask(ResolvePayment, outcome="failed", **evidence)
    yield Life("lost").bank("unknown").ask(CancelPayment).bank("approved").doubt()
    yield Life("late").bank("declined").bank("approved", callback=1)
    yield _held("which").ask(CapturePayment).doubt()
    yield _held("who").ask(CancelPayment).doubt()
    yield _held("how").ask(IncrementPayment, amount=10_000).doubt()
    yield Life("where").bank("approved").ask(RefundPayment).doubt()


def _held(key: str) -> Life:
    return Life(key, capture_method="manual").bank("approved")


def _wanted() -> DeliveryWanted:
    event_id = ids.event_id("pay_example", 6)
    delivery_id = ids.delivery_id(event_id, _ENDPOINT.id)
    return DeliveryWanted(
        delivery_id=delivery_id,
        event_id=event_id,
        endpoint_id=_ENDPOINT.id,
        merchant_id=MERCHANT,
        payment_id="pay_example",
        mode="test",
        type="payment.success",
        token=deliveries.scheduled_token(delivery_id, 1),
        body="{}",
        created_at_ms=AT_MS,
    )


def _attempt() -> AttemptMade:
    """The last one of a delivery that failed."""
    outcome = deliveries.answered(503, None, AT_MS)
    trace = deliveries.Trace(AT_MS, 20, answer="out of order", connect_ms=0, first_byte_ms=19)
    return deliveries.attempt_made(_wanted(), outcome, trace, None)


def _attempts() -> Iterator[Record]:
    yield deliveries.made_record(_attempt(), _SETTINGS)
    yield notice(_wanted(), "held", "open", Hold(1, 42), AT_MS, _SETTINGS)


def _events() -> Iterator[EventBytes]:
    yield webhook_test(_ENDPOINT, "test", "key", AT_MS)
    failing = Failing(since=iso(AT_MS), attempts=9, percent=50, disables_at=iso(AT_MS + 1000))
    yield endpoint_disabling(_ENDPOINT, "test", failing, AT_MS)
    yield endpoint_disabled(_ENDPOINT, "test", "failing", AT_MS)
    yield endpoint_enabled(_ENDPOINT, "test", AT_MS)
    yield endpoint_recovered(_ENDPOINT, "test", iso(AT_MS), AT_MS)
    if (event := exhausted(_attempt())) is not None:
        yield event
