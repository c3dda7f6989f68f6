"""What a checkout session refuses.

Problem
├── ClientSecretInvalid 401
└── CheckoutRefused 409        CheckoutInProgress, CheckoutOver
"""

from __future__ import annotations

from headgate.http.problems import Problem
from headgate.http.problems_of_access import Unauthorized


class ClientSecretInvalid(Unauthorized):
    """The client secret opens no checkout session, or not one of the key that came with it."""

    code, title = "client_secret_invalid", "Invalid client secret"
    remedy = "Send `Authorization: Bearer` with the `client_secret` of the session, whole."
    sample = "This client secret opens no checkout session."


class CheckoutRefused(Problem):
    """The session takes no such payment now."""

    status = 409


class CheckoutInProgress(CheckoutRefused):
    """The session has another payment already, which is on its way or at its end."""

    code, title = "checkout_payment_in_progress", "Another payment is in progress"
    remedy = "Read the session's state and show that; pay again only with its `attempt`."
    sample = "This session has another payment already. Nobody is charged twice."


class CheckoutOver(CheckoutRefused):
    """The session's time is over, or so are its attempts; nothing was charged."""

    code, title = "checkout_session_over", "Checkout session over"
    remedy = "Make a new session on the merchant's server."
    sample = "The time for this payment is over. Nothing was charged."
