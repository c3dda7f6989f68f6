"""The simulated bank: the same answer to the same question for ever, in the shares that are set."""

from __future__ import annotations

import pytest

from headgate.agents.acquirers.protocol import Acquirer
from headgate.agents.acquirers.simulator import Simulator
from headgate.streams.commands import AcquirerRequest, Method
from headgate.streams.scenarios import PLAYS, Scenario
from headgate.streams.settings import Settings
from headgate.tables.payments import decide
from tests.unit.builders import AT_MS, create


def request(key: str = "key-1", look: int = 0, **change: object) -> AcquirerRequest:
    asked = decide(None, create(key), AT_MS).requests[0].request
    assert isinstance(asked, AcquirerRequest)
    return asked.model_copy(update={"look": look, "scenario": None, **change})


def simulator(**change: object) -> Simulator:
    return Simulator(Settings().model_copy(update=change))


async def approved(bank: Simulator, count: int, method: Method) -> float:
    answers = [await bank.authorize(request(str(n), method=method)) for n in range(count)]
    return sum(answer.outcome == "approved" for answer in answers) / count


def test_it_is_an_acquirer_like_any_other() -> None:
    bank: Acquirer = simulator()
    assert isinstance(bank, Simulator)


@pytest.mark.parametrize("scenario", PLAYS)
async def test_a_scenario_is_played_whatever_the_settings(scenario: Scenario) -> None:
    play = PLAYS[scenario]
    for bank in (simulator(), simulator(test_mode=True, test_payment_success=False)):
        answer = await bank.authorize(request(scenario=scenario))
        assert answer.outcome == play.outcome
        assert answer.decline_code == play.decline_code
        assert answer.advice_code == play.advice_code
        assert (answer.reference is None) == (play.outcome == "unknown")


async def test_inquiries_follow_the_play_and_its_last_line_stands() -> None:
    bank = simulator()
    looks = [await bank.inquire(request(look=n, scenario="timeout")) for n in range(6)]
    assert [answer.outcome for answer in looks] == [
        "unknown",
        "unknown",
        "unknown",
        "approved",
        "approved",
        "approved",
    ]
    assert all(answer.after_ms == 0 for answer in looks)


async def test_an_inquiry_about_the_authorisation_itself_knows_what_it_said() -> None:
    bank = simulator(upi_success_rate=0.5)
    for n in range(20):
        said = await bank.authorize(request(str(n)))
        assert (await bank.inquire(request(str(n)))).outcome == said.outcome


async def test_nothing_is_left_to_chance() -> None:
    """00 A16: replays never re-roll."""
    banks = [simulator(upi_success_rate=0.5) for _ in range(2)]
    once, again = [[await bank.authorize(request(str(n))) for n in range(50)] for bank in banks]
    assert once == again
    assert {answer.outcome for answer in once} == {"approved", "declined"}


async def test_another_seed_is_another_bank() -> None:
    banks = [simulator(upi_success_rate=0.5, simulator_seed=seed) for seed in ("one", "two")]
    once, other = [[await bank.authorize(request(str(n))) for n in range(50)] for bank in banks]
    assert once != other


@pytest.mark.parametrize(("method", "share"), [("upi", 0.90), ("card", 0.95)])
async def test_outside_test_mode_the_seeds_success_rates_hold(method: Method, share: float) -> None:
    assert await approved(simulator(), 2000, method) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("share", [0.0, 1.0])
async def test_a_rate_of_none_or_all_has_no_exceptions(share: float) -> None:
    assert await approved(simulator(upi_success_rate=share), 300, "upi") == share


@pytest.mark.parametrize("succeeds", [True, False])
async def test_in_test_mode_everything_succeeds_or_nothing(succeeds: bool) -> None:
    bank = simulator(test_mode=True, test_payment_success=succeeds)
    assert await approved(bank, 100, "upi") == float(succeeds)


async def test_in_test_mode_the_bank_takes_the_time_that_is_set() -> None:
    bank = simulator(test_mode=True, test_processing_delay_ms=7)
    assert (await bank.authorize(request())).after_ms == 7


async def test_outside_test_mode_it_takes_the_seeds_five_to_ten_seconds() -> None:
    delays = [(await simulator().authorize(request(str(n)))).after_ms for n in range(200)]
    assert 5000 <= min(delays) < 5500
    assert 9500 < max(delays) <= 10_000


async def test_a_longest_delay_below_the_shortest_is_no_negative_time() -> None:
    bank = simulator(processing_delay_min_ms=100, processing_delay_max_ms=50)
    assert (await bank.authorize(request())).after_ms == 100
