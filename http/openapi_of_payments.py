"""What the OpenAPI document says about payments, and about operations and keys."""

from __future__ import annotations

from headgate.http.answers import OperationAnswer, PendingOperation
from headgate.http.idempotency_keys import KeyUse
from headgate.http.openapi_operation import API, WAITING, Operation
from headgate.http.problems_of_payments import PaymentDeclined
from headgate.http.problems_of_requests import (
    AmountTooLarge,
    CardExpired,
    CardNumberInvalid,
    CurrencyUnsupported,
    IdempotencyKeyMissing,
    VpaInvalid,
)
from headgate.http.schemas import PaymentRequest
from headgate.streams.facts import PaymentSnapshot

CREATE_PROBLEMS = (
    AmountTooLarge,
    CardExpired,
    CardNumberInvalid,
    CurrencyUnsupported,
    IdempotencyKeyMissing,
    PaymentDeclined,
    VpaInvalid,
)

PAYMENTS = (
    Operation(
        "post", f"{API}/payments", "createPayment", "Take a payment",
        {201: PaymentSnapshot, 202: PendingOperation}, CREATE_PROBLEMS,
        PaymentRequest, {"amount": 50000, "order_id": "order_1001", "method": "upi",
                         "vpa": "success@upi"}, keyed=True, scope="payments:write",
    ),
    Operation(
        "get", f"{API}/operations/{{id}}", "getOperation", "What became of a command",
        {200: OperationAnswer}, WAITING, scope="payments:read",
    ),
    Operation(
        "get", f"{API}/idempotency_keys/{{key}}", "getIdempotencyKey",
        "What an idempotency key was used for", {200: KeyUse}, scope="payments:read",
    ),
)  # fmt: skip
