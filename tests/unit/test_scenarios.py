"""Every test value has a play, every play ends with an answer, and only test values play one."""

from __future__ import annotations

from typing import get_args

import pytest

from headgate.streams.cards import is_number
from headgate.streams.declines import DECLINES
from headgate.streams.plays import PLAYS, SLOW_MAX_MS, Scenario, play_of
from headgate.streams.scenarios import AMOUNTS, CARDS, VPAS, scenario_of


def of(
    card: str | None = None, vpa: str | None = None, amount: int = 500, **metadata: str
) -> str | None:
    return scenario_of(card_number=card, vpa=vpa, amount=amount, metadata=metadata)


def test_every_scenario_has_a_play_and_every_value_a_scenario() -> None:
    assert set(PLAYS) == set(get_args(Scenario))
    assert {*CARDS.values(), *VPAS.values(), *AMOUNTS.values()} == set(PLAYS)


@pytest.mark.parametrize("scenario", PLAYS)
def test_what_was_answered_at_once_stays_so_when_it_is_asked_again(scenario: Scenario) -> None:
    play = PLAYS[scenario]
    if play.authorize.outcome in ("approved", "declined"):
        assert play.inquiries == ()


@pytest.mark.parametrize("scenario", PLAYS)
def test_doubt_is_resolved_by_an_inquiry_or_by_the_customers_time(scenario: Scenario) -> None:
    play = PLAYS[scenario]
    if play.authorize.outcome == "unknown":
        assert play.inquiries[-1].outcome in ("approved", "declined", "not_found")


@pytest.mark.parametrize("scenario", PLAYS)
def test_a_play_is_told_in_a_sentence_that_stands_in_a_table(scenario: Scenario) -> None:
    shown = PLAYS[scenario].shown
    assert shown[0].islower()
    assert not shown.endswith(".")
    assert "|" not in shown
    assert "\n" not in shown


def test_every_test_card_is_a_card_number_with_its_check_digit() -> None:
    assert [number for number in CARDS if not is_number(number)] == []


@pytest.mark.parametrize("vpa", VPAS)
def test_test_vpas_look_like_vpas(vpa: str) -> None:
    name, _, handle = vpa.partition("@")
    assert name
    assert handle.isalnum()


def test_cards_and_addresses_play_their_scenario() -> None:
    assert of("4000000000009995") == "insufficient_funds"
    assert of(vpa="Failure@UPI") == "decline"
    assert of("4000000000001000") is None
    assert of(vpa="someone@bank") is None
    assert of() is None


def test_an_unknown_address_is_declined_as_such() -> None:
    play = play_of(of(vpa="notfound@upi"))
    assert play is not None
    assert play.authorize.decline_code == "vpa_not_found"
    assert play.authorize.decline_code in DECLINES


@pytest.mark.parametrize("digits", AMOUNTS)
def test_amounts_are_magic_only_for_those_who_ask_for_it(digits: int) -> None:
    """Not even with a test card: 500.01 may be what a shop's test wants to be paid."""
    assert of(vpa="a@b", amount=50_000 + digits) is None
    assert of(vpa="a@b", amount=50_000 + digits, test_magic="0") is None
    assert of(vpa="a@b", amount=50_000 + digits, test_magic="1") == AMOUNTS[digits]
    assert of("4242424242424242", amount=digits, test_magic="1") == AMOUNTS[digits]
    assert of(vpa="failure@upi", amount=500, test_magic="1") == "decline"


@pytest.mark.parametrize(("attempt", "plays"), [
    ("", "processing_error"), ("1", "processing_error"), ("x", "processing_error"),
    ("2", "approve"), ("10", "approve"), ("100", "approve"),
])  # fmt: skip
def test_a_processing_error_is_over_for_a_payment_that_says_it_is_another_attempt(
    attempt: str, plays: str
) -> None:
    assert of("4000000000000119", test_attempt=attempt) == plays
    assert of("4000000000000002", test_attempt=attempt) == "decline"


@pytest.mark.parametrize(("ms", "takes_ms"), [(0, 0), (1500, 1500), (123_456_789, SLOW_MAX_MS)])
def test_a_slow_address_names_its_time_up_to_a_minute(ms: int, takes_ms: int) -> None:
    play = play_of(of(vpa=f"slow-{ms}@upi"))
    assert play is not None
    assert (play.takes_ms, play.authorize.outcome) == (takes_ms, "approved")


@pytest.mark.parametrize("vpa", ["slow-@upi", "slow-x@upi", "slow-1@bank", "slow--1@upi"])
def test_what_only_looks_like_a_slow_address_is_none(vpa: str) -> None:
    assert of(vpa=vpa) is None


@pytest.mark.parametrize("scenario", [None, "", "of a later version", "slow-", "slow-123456"])
def test_a_scenario_that_nobody_knows_has_no_play(scenario: str | None) -> None:
    """Anybody may write to the log, and an older worker may read what a newer edge wrote."""
    assert play_of(scenario) is None
