"""What the OpenAPI document says about the checkout: sessions, customers, pages, scripts."""

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
    Operation(
        "get", "/checkout", "showDemoShop", "The demo shop, for people", {200: "text/html"},
        (ResourceMissing,),
    ),
    Operation(
        "get", "/checkout/embed", "showCheckoutFrame", "The payment form, in a shop's frame",
        {200: "text/html"}, query=("pk",),
    ),
    Operation(
        "get", "/checkout/pay/{session}", "showCheckoutPage", "The payment form, as a page",
        {200: "text/html"},
    ),
    Operation(
        "get", "/headgate.js", "getLoader", "Shows the form in a shop's page",
        {200: "text/javascript"},
    ),
    Operation(
        "get", "/v1/headgate.js", "getLoaderV1", "The same, by its version",
        {200: "text/javascript"},
    ),
    Operation(
        "get", "/checkout.js", "getSeedWidget", "The seed's widget", {200: "text/javascript"},
    ),
    Operation(
        "get", "/headgate-react.js", "getReact", "The form as a React component",
        {200: "text/javascript"},
    ),
    Operation(
        "get", "/headgate-react.d.ts", "getReactTypes", "Types of the React component",
        {200: "text/javascript"},
    ),
    Operation(
        "get", "/checkout/static/{name}", "getCheckoutFile", "A script or style of our pages",
        {200: "text/javascript"},
    ),
)  # fmt: skip
"""All of it."""
