"""Why banks decline, and what to advise: one table for simulator, answers, docs and tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AdviceCode = Literal["try_again_later", "do_not_try_again", "confirm_card_data"]
DeclineCode = Literal[
    "insufficient_funds",
    "do_not_honor",
    "lost_card",
    "stolen_card",
    "expired_card",
    "incorrect_cvc",
    "fraudulent",
    "issuer_unavailable",
    "authentication_required",
    "authentication_failed",
    "upi_collect_rejected",
    "upi_collect_expired",
    "vpa_not_found",
]

ADVICE: dict[AdviceCode, str] = {
    "try_again_later": "The same card or account may work: let the customer try again.",
    "do_not_try_again": "The same card or account will not work: ask for another one.",
    "confirm_card_data": "What was typed is wrong: let the customer correct it and try again.",
}
"""Each advice code with what the merchant does."""

_DISCREET = "The bank declined this card. Please use another one."
"""Who holds a card that is not theirs must not hear that it was reported."""


@dataclass(frozen=True, slots=True)
class Decline:
    """One reason of a bank: what it means, what to advise, and what may be told the customer."""

    meaning: str
    advice: AdviceCode
    tell: str

    @property
    def again(self) -> bool:
        """Whether the customer may try the same card or account again."""
        return self.advice != "do_not_try_again"


DECLINES: dict[DeclineCode, Decline] = {
    "insufficient_funds": Decline(
        "The account does not hold enough money.",
        "try_again_later",
        "Your account does not have enough money for this payment.",
    ),
    "do_not_honor": Decline(
        "The bank declined and does not say why.",
        "do_not_try_again",
        "Your bank declined the payment. Please use another card, or ask your bank.",
    ),
    "lost_card": Decline("The card was reported lost.", "do_not_try_again", _DISCREET),
    "stolen_card": Decline("The card was reported stolen.", "do_not_try_again", _DISCREET),
    "expired_card": Decline(
        "The card has expired, or the expiry date that was typed is not the card's.",
        "confirm_card_data",
        "Please check your card's expiry date.",
    ),
    "incorrect_cvc": Decline(
        "The security code is not the card's.",
        "confirm_card_data",
        "Please check the security code of your card.",
    ),
    "fraudulent": Decline("The bank takes this for fraud.", "do_not_try_again", _DISCREET),
    "issuer_unavailable": Decline(
        "The customer's bank could not be reached, or failed while it processed the payment.",
        "try_again_later",
        "Your bank does not answer at the moment. Please try again in a few minutes.",
    ),
    "authentication_required": Decline(
        "The bank wants the customer to authenticate (3-D Secure) and was not given the chance.",
        "try_again_later",
        "Your bank wants you to confirm this payment. Please try again.",
    ),
    "authentication_failed": Decline(
        "The customer did not pass the bank's authentication, or did not finish it.",
        "try_again_later",
        "Your bank could not confirm that it is you. Please try again.",
    ),
    "upi_collect_rejected": Decline(
        "The customer refused the request in their UPI app.",
        "try_again_later",
        "The payment was refused in your UPI app.",
    ),
    "upi_collect_expired": Decline(
        "The customer did not answer the request in their UPI app in time.",
        "try_again_later",
        "The request in your UPI app has expired. Please try again.",
    ),
    "vpa_not_found": Decline(
        "There is no account behind this UPI address.",
        "confirm_card_data",
        "Please check your UPI address.",
    ),
}
"""Every decline code of 01 §7.5."""


def decline_of(code: str | None) -> DeclineCode | None:
    """A bank's word as one of our codes: what is not known is `do_not_honor`, None stays None."""
    if code is None:
        return None
    return next((known for known in DECLINES if known == code), "do_not_honor")


def advice_of(decline: DeclineCode | None, given: str | None) -> AdviceCode | None:
    """A bank's advice as one of our codes: where it gave none that is known, the decline's own."""
    known: AdviceCode | None = next((code for code in ADVICE if code == given), None)
    if known is None and decline is not None:
        return DECLINES[decline].advice
    return known
