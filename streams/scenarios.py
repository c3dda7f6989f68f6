"""Test values: one table for the edge, the simulated bank, the docs and the tests (01 §10)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from headgate.streams.plays import Scenario, slow

CARDS: dict[str, Scenario] = {
    "4242424242424242": "approve",
    "4111111111111111": "approve",
    "5555555555554444": "approve",
    "378282246310005": "approve",
    "6011111111111117": "approve",
    "4000000000000002": "decline",
    "4000000000009995": "insufficient_funds",
    "4000000000009987": "lost_card",
    "4000000000009979": "stolen_card",
    "4000000000000069": "expired_card",
    "4000000000000127": "incorrect_cvc",
    "4000000000000119": "processing_error",
    "4000003800000446": "challenge",
    "4000002500003155": "challenge",
    "4000000000000077": "instant_funds",
    "4000000000005126": "refund_returned",
    "4000000000000259": "disputed",
    "4000000000001976": "dispute_inquiry",
    "4000000000010019": "timeout",
    "4000000000010027": "timeout_not_found",
    "4000000000010035": "late_approval",
    "4000000000010043": "duplicate_callbacks",
    "4000000000010050": "partial_approval",
    "4000000000010068": "capture_fails_once",
    "4000000000010076": "settlement_discrepancy",
}
"""Test cards. Those that begin with 40000000000100 are Headgate's own, the others are known from
Stripe and Hyperswitch."""

VPAS: dict[str, Scenario] = {
    "success@upi": "approve",
    "success@razorpay": "approve",
    "failure@upi": "decline",
    "failure@razorpay": "decline",
    "timeout@upi": "timeout",
    "late@upi": "late_approval",
    "collect-reject@upi": "collect_rejected",
    "collect-expire@upi": "collect_expired",
    "notfound@upi": "vpa_not_found",
}
"""Test UPI addresses, besides `slow-<ms>@upi`."""

AMOUNTS: dict[int, Scenario] = {1: "decline", 2: "timeout", 3: "disputed", 4: "refund_fails"}
"""Magic amounts by their last two digits, for payments with `metadata.test_magic` of 1."""

_SLOW_VPA = re.compile(r"slow-([0-9]{1,9})@upi")
_AGAIN = re.compile(r"[2-9]|[1-9][0-9]{1,2}")
"""A second or later attempt."""


def scenario_of(
    *, card_number: str | None, vpa: str | None, amount: int, metadata: Mapping[str, str]
) -> str | None:
    """What the simulated bank is to play for a test payment; None when it holds no test value.

    A magic amount comes before the card or address. Cards do not tell a bank which attempt of the
    customer's this is, and nothing may be left to its memory (00 A16): so the payment says it.
    """
    if metadata.get("test_magic") == "1" and amount % 100 in AMOUNTS:
        return AMOUNTS[amount % 100]
    scenario = CARDS.get(card_number) if card_number else _of_vpa(vpa.lower()) if vpa else None
    if scenario == "processing_error" and _AGAIN.fullmatch(metadata.get("test_attempt", "")):
        return "approve"
    return scenario


def _of_vpa(vpa: str) -> str | None:
    if found := _SLOW_VPA.fullmatch(vpa):
        return slow(int(found[1]))
    return VPAS.get(vpa)
