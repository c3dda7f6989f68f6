"""Every test value has a play, and every play ends with an answer."""

from __future__ import annotations

from typing import get_args

import pytest

from headgate.streams.scenarios import CARDS, PLAYS, VPAS, Scenario


def test_every_scenario_has_a_play_and_every_value_a_scenario() -> None:
    assert set(PLAYS) == set(get_args(Scenario))
    assert set(CARDS.values()) | set(VPAS.values()) <= set(PLAYS)


@pytest.mark.parametrize("scenario", PLAYS)
def test_a_play_in_doubt_is_resolved_by_its_last_inquiry(scenario: Scenario) -> None:
    play = PLAYS[scenario]
    last = play.inquiries[-1] if play.inquiries else play.outcome
    assert last != "unknown"


@pytest.mark.parametrize("scenario", PLAYS)
def test_what_was_answered_at_once_stays_so_when_it_is_asked_again(scenario: Scenario) -> None:
    play = PLAYS[scenario]
    if play.outcome != "unknown":
        assert set(play.inquiries) == {play.outcome}


@pytest.mark.parametrize("scenario", PLAYS)
def test_declines_say_why_and_what_to_do(scenario: Scenario) -> None:
    play = PLAYS[scenario]
    declines = play.outcome == "declined"
    assert (play.decline_code is not None) == declines
    assert (play.advice_code is not None) == declines


def luhn(number: str) -> bool:
    doubled = (int(d) * (1 + i % 2) for i, d in enumerate(reversed(number)))
    return sum(d // 10 + d % 10 for d in doubled) % 10 == 0


@pytest.mark.parametrize("number", CARDS)
def test_test_cards_look_like_cards(number: str) -> None:
    assert luhn(number)


@pytest.mark.parametrize("vpa", VPAS)
def test_test_vpas_look_like_vpas(vpa: str) -> None:
    name, _, handle = vpa.partition("@")
    assert name
    assert handle.isalnum()
