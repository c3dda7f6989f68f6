"""What the OpenAPI document says about the checkout: sessions, and what customers do."""

from __future__ import annotations

from headgate.http.checkout_schemas import (
    AuthenticateRequest,
    CheckoutAnswer,
    CheckoutRequest,
    CheckoutState,
    ConfirmRequest,
    ResolvedAnswer,
    ResolveRequest,
)
from headgate.http.openapi_operation import API, Operation
from headgate.http.problems_of_access import LivemodeMismatch, MerchantInactive, RateLimited
from headgate.http.problems_of_checkout import CheckoutInProgress, CheckoutOver
from headgate.http.problems_of_requests import (
    AmountTooLarge,
    CardExpired,
    CardNumberInvalid,
    CurrencyUnsupported,
    KeyReused,
    ResourceMissing,
    VpaInvalid,
)
from headgate.http.problems_of_services import (
    KeyInUse,
    LogAway,
    NotCaughtUp,
    OutcomeUnknown,
    StoreAway,
)

_ALL = f"{API}/checkout/sessions"

CHECKOUT = (
    Operation(
        "post", _ALL, "createCheckoutSession",
        "Fix what a customer will pay; the client secret is shown once", {201: CheckoutAnswer},
        (AmountTooLarge, CurrencyUnsupported), CheckoutRequest,
        {"amount": 50000, "order_id": "order_1001"}, repeatable=True, scope="payments:write",
    ),
    Operation(
        "get", f"{_ALL}/{{id}}", "getCheckoutSession", "Look up a checkout session",
        {200: CheckoutAnswer}, scope="payments:read",
    ),
    Operation(
        "post", f"{API}/checkout/confirm", "confirmCheckout",
        "Pay; the one request with the card number", {202: CheckoutState},
        (CardNumberInvalid, CardExpired, VpaInvalid, MerchantInactive, CheckoutInProgress,
         CheckoutOver, KeyInUse, LogAway, OutcomeUnknown),
        ConfirmRequest, {"attempt": 1, "method": "upi", "vpa": "success@upi"},
        client_secret=True,
    ),
    Operation(
        "get", f"{API}/checkout/state", "getCheckoutState",
        "Where the session is, for the customer's browser", {200: CheckoutState},
        query=("seen", "wait"), client_secret=True,
    ),
    Operation(
        "post", f"{API}/checkout/authenticate", "authenticateCheckout",
        "The customer answers the bank's question, in test mode", {200: CheckoutState},
        (LivemodeMismatch, ResourceMissing, KeyInUse, KeyReused, LogAway, NotCaughtUp,
         OutcomeUnknown),
        AuthenticateRequest, {"attempt": 1, "outcome": "succeeded"}, client_secret=True,
    ),
    Operation(
        "post", f"{API}/checkout/resolve", "resolveCheckout",
        "Open an order's session, in test mode", {200: ResolvedAnswer},
        (LivemodeMismatch, ResourceMissing, RateLimited, StoreAway), ResolveRequest,
        {"key": "key_test_abc123", "order_id": "order_1001"},
    ),
    Operation(
        "post", "/checkout/demo", "openDemoCheckout", "Go to the demo shop's till",
        {200: ResolvedAnswer}, (ResourceMissing, RateLimited, StoreAway, OutcomeUnknown),
    ),
)  # fmt: skip
"""The routes that answer JSON."""
