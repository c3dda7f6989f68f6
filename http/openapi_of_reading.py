"""What the OpenAPI document says about reading payments, their children and their events."""

from __future__ import annotations

from headgate.http.answers_of_reading import (
    ChildList,
    EventList,
    PaymentAnswer,
    PaymentList,
    TimelineAnswer,
)
from headgate.http.openapi_operation import API, WAITING, Operation
from headgate.http.openapi_parameters import AMOUNT, CREATED, PAGE
from headgate.http.problems_of_requests import ParameterMissing
from headgate.streams.facts import ChildSnapshot, Fact
from headgate.tables.scopes import Scope

_READ: Scope = "payments:read"
_CHILDREN = tuple(
    Operation(
        "get", f"{API}/payments/{{id}}/{kind}s", f"list{kind.title()}sOfPayment",
        f"List a payment's {kind}s, newest first", {200: ChildList}, WAITING, query=PAGE,
        scope=_READ,
    )
    for kind in ("capture", "void", "refund", "reversal", "increment")
)  # fmt: skip

READING = (
    Operation(
        "get", f"{API}/payments", "listPayments", "List payments, newest first",
        {200: PaymentList},
        query=(*PAGE, "status", "state", "method", "currency", "order_id", "customer_id",
               *CREATED, *AMOUNT, "metadata"),
        scope=_READ,
    ),
    Operation(
        "get", f"{API}/payments/search", "searchPayments", "Search payments, newest first",
        {200: PaymentList}, (ParameterMissing,), query=("query", *PAGE), scope=_READ,
    ),
    Operation(
        "get", f"{API}/payments/{{id}}", "getPayment", "Look up a payment, as it is or was",
        {200: PaymentAnswer}, WAITING, query=("expand[]", "as_of"), scope=_READ,
    ),
    *_CHILDREN,
    Operation(
        "get", f"{API}/payments/{{id}}/timeline", "getTimeline",
        "Everything that happened to a payment, and what was refused", {200: TimelineAnswer},
        WAITING, query=("limit", "starting_after", "as_of"), scope=_READ,
    ),
    Operation(
        "get", f"{API}/captures/{{id}}", "getCapture", "Look up a capture",
        {200: ChildSnapshot}, WAITING, scope=_READ,
    ),
    Operation(
        "get", f"{API}/refunds", "listRefunds", "List refunds, newest first", {200: ChildList},
        query=(*PAGE, "refund_status", "payment_id", *CREATED, *AMOUNT), scope=_READ,
    ),
    Operation(
        "get", f"{API}/refunds/{{id}}", "getRefund", "Look up a refund",
        {200: ChildSnapshot}, WAITING, scope=_READ,
    ),
    Operation(
        "get", f"{API}/events", "listEvents", "List events, oldest first", {200: EventList},
        query=("limit", "after", "types[]", "object"), scope="events:read",
    ),
    Operation(
        "get", f"{API}/events/stream", "streamEvents",
        "Follow events; a `Last-Event-ID` goes on behind it", {200: "text/event-stream"},
        query=("after", "types[]", "object"), scope="events:read",
    ),
    Operation(
        "get", f"{API}/events/{{id}}", "getEvent", "Look up an event", {200: Fact},
        scope="events:read",
    ),
)  # fmt: skip
