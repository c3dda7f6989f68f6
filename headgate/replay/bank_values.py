"""The test card or UPI address that makes the simulated bank play a scenario (R35, 01 §10)."""

from __future__ import annotations

from typing import NamedTuple

from headgate.streams.cards import brand_of
from headgate.streams.commands import Card, CreatePayment
from headgate.streams.plays import play_of
from headgate.streams.scenarios import AMOUNTS, CARDS, VPAS

APPROVED = "approve"
_DOUBT, _DECLINED = "late_approval", "decline"
"""What addresses can play in place of what only cards can: the same end, or nearly."""


class BankValue(NamedTuple):
    """What a create carries so that the bank plays, and what it then plays."""

    scenario: str
    card_number: str | None = None
    vpa: str | None = None


def value_for(recorded: CreatePayment, scenario: str) -> BankValue:
    """The value for a payment like this one. Where none plays `scenario`, one that ends alike."""
    if magic_of(recorded) == scenario:
        return BankValue(scenario, vpa=recorded.vpa)
    if recorded.method == "card":
        return _card(recorded.card, scenario)
    vpa = _vpa_of(scenario)
    return BankValue(scenario, vpa=vpa) if vpa else value_for(recorded, _instead(scenario))


def value_again(recorded: CreatePayment) -> BankValue | None:
    """The very value of the recorded request; None when its card is no test card, since numbers
    are not recorded."""
    scenario, kept = recorded.scenario or APPROVED, recorded.card
    if kept is None:
        return BankValue(scenario, vpa=recorded.vpa)
    found = [n for n in CARDS if n[-4:] == kept.last4 and brand_of(n) == kept.brand]
    return BankValue(scenario, card_number=found[0], vpa=recorded.vpa) if found else None


def magic_of(recorded: CreatePayment) -> str | None:
    """The scenario of a magic amount, which comes before every other value; None without one."""
    if recorded.metadata.get("test_magic") != "1":
        return None
    return AMOUNTS.get(recorded.amount % 100)


def in_doubt(scenario: str) -> bool:
    """Whether the bank gives no answer at first."""
    play = play_of(scenario)
    return play is not None and play.authorize.outcome == "unknown"


def _card(kept: Card | None, scenario: str) -> BankValue:
    """A card of the recorded brand, with its last digits, if there is such a test card."""
    numbers = [number for number, plays in CARDS.items() if plays == scenario]
    if not numbers:
        return _card(kept, _instead(scenario))

    def unlike(number: str) -> tuple[bool, bool]:
        if kept is None:
            return False, False
        return number[-4:] != kept.last4, brand_of(number) != kept.brand

    return BankValue(scenario, card_number=min(numbers, key=unlike))


def _vpa_of(scenario: str) -> str | None:
    if scenario.startswith("slow-"):
        return f"{scenario}@upi"
    return next((vpa for vpa, plays in VPAS.items() if plays == scenario), None)


def _instead(scenario: str) -> str:
    """A scenario that cards and addresses can both play, with the same end."""
    play = play_of(scenario)
    if play is None or play.authorize.outcome in ("approved", "challenged"):
        return APPROVED
    return _DOUBT if play.authorize.outcome == "unknown" else _DECLINED
