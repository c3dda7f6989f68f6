"""Declines: every code has a meaning, an advice, and words that may be told to a customer."""

from __future__ import annotations

from typing import get_args

import pytest

from headgate.streams.declines import (
    ADVICE,
    DECLINES,
    AdviceCode,
    DeclineCode,
    advice_of,
    decline_of,
)
from headgate.streams.plays import PLAYS


def test_every_code_is_in_the_table_once() -> None:
    assert tuple(DECLINES) == get_args(DeclineCode)
    assert tuple(ADVICE) == get_args(AdviceCode)


@pytest.mark.parametrize("code", DECLINES)
def test_a_decline_says_what_it_means_and_what_to_tell(code: DeclineCode) -> None:
    decline = DECLINES[code]
    assert decline.meaning.endswith(".")
    assert decline.tell.endswith(".")
    assert decline.again is (decline.advice != "do_not_try_again")


@pytest.mark.parametrize("code", ["lost_card", "stolen_card", "fraudulent"])
def test_who_may_be_a_thief_does_not_hear_why(code: DeclineCode) -> None:
    told = DECLINES[code].tell.lower()
    assert not any(word in told for word in ("lost", "stolen", "fraud", "report"))


@pytest.mark.parametrize("code", DECLINES)
def test_a_known_word_stays_what_it_is(code: DeclineCode) -> None:
    assert decline_of(code) == code


def test_a_word_of_a_bank_that_nobody_knows_is_a_decline_without_a_reason() -> None:
    assert decline_of("R01-WHATEVER") == "do_not_honor"
    assert decline_of(None) is None


def test_an_advice_that_nobody_knows_is_that_of_the_decline() -> None:
    assert advice_of("lost_card", "03") == "do_not_try_again"
    assert advice_of("lost_card", None) == "do_not_try_again"
    assert advice_of("lost_card", "try_again_later") == "try_again_later"
    assert advice_of(None, "try_again_later") == "try_again_later"
    assert advice_of(None, "03") is None


def test_the_simulated_bank_declines_with_these_codes_and_their_advice() -> None:
    for play in PLAYS.values():
        words = [play.authorize, play.authenticated, play.refund, *play.inquiries, *play.captures]
        for word in [*words, *(later.word for later in play.later)]:
            assert (word.decline_code is None) == (word.outcome != "declined")
            assert word.advice_code == (
                DECLINES[word.decline_code].advice if word.decline_code else None
            )
