"""What requests about the checkout may say, and what they are answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from headgate.http.schemas import Asked, CardDetails, Currency, OrderId, Vpa, WebAddress
from headgate.streams.money import Amount
from headgate.tables.checkout_standing import CheckoutStatus

METHODS_MAX = 8
"""Entries that a list of methods may have; repeats count once."""
KEY_CHARACTERS_MAX = 80
ATTEMPT_MAX = 1000

CheckoutMethod = Literal["card", "upi"]
"""What the form can take."""
Action = Literal["bank", "upi_app"]
"""Where a customer has to confirm a payment."""


class CheckoutRequest(Asked):
    """The body of `POST /checkout/sessions`: what the customer will be asked to pay."""

    amount: Amount = Field(description="Whole minor units, such as paise.", examples=[50000])
    order_id: OrderId = Field(examples=["order_1001"])
    currency: Currency = Field(default="INR", examples=["INR"])
    methods: Annotated[list[CheckoutMethod], Field(min_length=1, max_length=METHODS_MAX)] = Field(
        default=["card", "upi"], description="What the form offers, in this order."
    )
    success_url: WebAddress | None = Field(
        default=None,
        description="Where the hosted page goes on to when it is paid; http in test only.",
    )
    cancel_url: WebAddress | None = Field(
        default=None, description="Where the hosted page leads when the customer goes back."
    )


class CheckoutAnswer(BaseModel):
    """A checkout session, for the merchant's server."""

    id: str = Field(examples=["cs_aaaaaaaaaaaaaaaaaaaaaaaaaa"])
    object: Literal["checkout.session"] = "checkout.session"
    livemode: bool
    status: CheckoutStatus
    amount: int
    currency: str
    order_id: str
    methods: list[str]
    success_url: str | None
    cancel_url: str | None
    payment_id: str | None = Field(description="The payment that counts now, once there is one.")
    attempt: int = Field(description="One more than payments of it have failed for good.")
    client_secret: str | None = Field(
        description="Opens this session in the customer's browser. Shown when it is made, and to "
        "repeats under the same Idempotency-Key for five minutes; null ever after."
    )
    url: str | None = Field(
        description="The hosted page, with the client secret behind the `#`; null without it."
    )
    created_at: str
    expires_at: str = Field(description="Until when a payment may begin.")


class ConfirmRequest(Asked):
    """The body of `POST /checkout/confirm`, the one request that has the card number."""

    attempt: Annotated[int, Field(ge=1, le=ATTEMPT_MAX)] = Field(
        description="The `attempt` of the session's state: one payment each, however often it is "
        "sent.",
        examples=[1],
    )
    method: CheckoutMethod = Field(examples=["upi"])
    vpa: Vpa | None = Field(default=None, examples=["success@upi"])
    card: CardDetails | None = Field(default=None, repr=False)


class AuthenticateRequest(Asked):
    """The body of `POST /checkout/authenticate`: how the customer answered the bank (test mode)."""

    attempt: Annotated[int, Field(ge=1, le=ATTEMPT_MAX)] = Field(examples=[1])
    outcome: Literal["succeeded", "failed"]


class ResolveRequest(Asked):
    """The body of `POST /checkout/resolve`: the seed's widget knows a key and an order."""

    key: Annotated[str, Field(min_length=1, max_length=KEY_CHARACTERS_MAX)] = Field(
        description="A publishable test key.", examples=["key_test_abc123"]
    )
    order_id: OrderId = Field(examples=["order_1001"])


class ResolvedAnswer(BaseModel):
    """What opens a session in the browser."""

    id: str
    object: Literal["checkout.session"] = "checkout.session"
    key: str = Field(description="The publishable key.")
    order_id: str
    client_secret: str


class DeclinedAnswer(BaseModel):
    """Why the last attempt failed, for the customer."""

    message: str
    again: bool = Field(description="Whether the same card or account may work.")
    advice_code: str | None


class CheckoutPayment(BaseModel):
    """The payment of this attempt, as far as its customer may know it."""

    id: str
    status: str
    state: str


class CheckoutState(BaseModel):
    """A checkout session as the customer's browser sees it."""

    id: str
    object: Literal["checkout.state"] = "checkout.state"
    livemode: bool
    merchant: str = Field(description="Who is paid.")
    status: CheckoutStatus
    attempt: int = Field(description="Send it with the next payment.")
    amount: int
    currency: str
    amount_decimal: str = Field(description="The amount in major units.", examples=["500.00"])
    order_id: str
    methods: list[str]
    payment: CheckoutPayment | None
    action: Action | None = Field(
        description="Where the customer has to confirm, with `requires_action`."
    )
    declined: DeclinedAnswer | None
    success_url: str | None = Field(description="Where to go on; null until it is paid.")
    cancel_url: str | None
    expires_at: str
