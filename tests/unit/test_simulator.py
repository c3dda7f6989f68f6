"""The simulated bank: the same answer to the same question for ever, in the shares that are set."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from headgate.agents.acquirers import simulator as module
from headgate.agents.acquirers.protocol import Acquirer, Answer
from headgate.agents.acquirers.simulator import Simulator
from headgate.streams import ids
from headgate.streams.commands import AcquirerRequest, BankCall, ChildKind, Method
from headgate.streams.plays import PLAYS, Scenario
from headgate.streams.settings import Settings
from headgate.tables.acquirer_knobs import Knobs, LatencyRange
from tests.unit import fake_bank
from tests.unit.builders import AT_MS, MERCHANT

KINDS: tuple[BankCall, ...] = ("authorize", *get_args(ChildKind))


BASE = fake_bank.request()


def request(key: str = "key-1", look: int = 0, **change: Any) -> AcquirerRequest:
    """An authorisation, or an inquiry about it, of the attempt that `key` stands for."""
    kind = "inquire" if look else "authorize"
    attempt_id = ids.attempt_id(key, 1)
    told = {"type": kind, "look": look, "attempt_id": attempt_id, "scenario": None, **change}
    return BASE.model_copy(update=told)


def simulator(knobs: Knobs | None = None, **change: Any) -> Simulator:
    settings = Settings().model_copy(update=change)
    if knobs is None:
        return Simulator(settings)
    return Simulator(settings, lambda merchant: knobs if merchant == MERCHANT else Knobs())


async def said(bank: Simulator, asked: AcquirerRequest) -> Answer:
    """The bank's answer to a call of any kind."""
    calls = {
        "authorize": bank.authorize, "capture": bank.capture, "void": bank.void,
        "refund": bank.refund, "reversal": bank.reverse, "increment": bank.increment,
        "inquire": bank.inquire,
    }  # fmt: skip
    return await calls[asked.type](asked)


def call(kind: BankCall, key: str = "key-1", **change: Any) -> AcquirerRequest:
    return request(key, type=kind, about=kind, **change)


async def approved(bank: Simulator, count: int, method: Method) -> float:
    answers = [await bank.authorize(request(str(n), method=method)) for n in range(count)]
    return sum(answer.outcome == "approved" for answer in answers) / count


def test_it_is_an_acquirer_like_any_other() -> None:
    bank: Acquirer = simulator()
    assert isinstance(bank, Simulator)


@pytest.mark.parametrize("scenario", PLAYS)
async def test_a_scenario_is_played_whatever_the_settings_and_ratios_08_r24(
    scenario: Scenario,
) -> None:
    word = PLAYS[scenario].authorize
    contrary = Knobs(approve_ratio=0.0, error_ratio=1.0, timeout_ratio=1.0)
    for bank in (simulator(), simulator(test_mode=True, test_payment_success=False),
                 simulator(contrary)):  # fmt: skip
        answer = await bank.authorize(request(scenario=scenario))
        assert answer.outcome == word.outcome
        assert answer.decline_code == word.decline_code
        assert answer.advice_code == word.advice_code
        assert (answer.reference is None) == (word.outcome == "unknown")


async def test_inquiries_follow_the_play_and_its_last_line_stands() -> None:
    bank = simulator()
    looks = [await bank.inquire(request(look=n, scenario="timeout")) for n in range(1, 6)]
    assert [answer.outcome for answer in looks] == ["unknown", "unknown", *["approved"] * 3]
    assert all(answer.after_ms == 0 for answer in looks)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_inquiry_about_a_call_knows_what_was_said(kind: BankCall) -> None:
    bank = simulator(Knobs(error_ratio=0.5), upi_success_rate=0.5)
    outcomes = set()
    for n in range(20):
        answer = await said(bank, call(kind, str(n)))
        for look in (0, 3):
            found = await bank.inquire(call(kind, str(n), look=look).model_copy(
                update={"type": "inquire"}))  # fmt: skip
            assert (found.outcome, found.decline_code) == (answer.outcome, answer.decline_code)
        outcomes.add(answer.outcome)
    assert outcomes == {"approved", "declined"}


async def test_nothing_is_left_to_chance() -> None:
    """00 A16: replays never re-roll."""
    banks = [simulator(upi_success_rate=0.5) for _ in range(2)]
    once, again = [[await bank.authorize(request(str(n))) for n in range(50)] for bank in banks]
    assert once == again
    assert {answer.outcome for answer in once} == {"approved", "declined"}


async def test_another_seed_is_another_bank() -> None:
    banks = [simulator(upi_success_rate=0.5, simulator_seed=seed) for seed in ("one", "two")]
    banks += [simulator(Knobs(seed="one"), upi_success_rate=0.5)]
    once, other, set_by_merchant = [
        [await bank.authorize(request(str(n))) for n in range(50)] for bank in banks
    ]
    assert once != other
    assert once == set_by_merchant


@pytest.mark.parametrize(("method", "share"), [("upi", 0.90), ("card", 0.95)])
async def test_outside_test_mode_the_seeds_success_rates_hold(method: Method, share: float) -> None:
    assert await approved(simulator(), 2000, method) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("share", [0.0, 1.0])
async def test_a_rate_of_none_or_all_has_no_exceptions(share: float) -> None:
    assert await approved(simulator(upi_success_rate=share), 300, "upi") == share
    assert await approved(simulator(Knobs(approve_ratio=share)), 300, "upi") == share


@pytest.mark.parametrize("succeeds", [True, False])
async def test_in_test_mode_everything_succeeds_or_nothing(succeeds: bool) -> None:
    bank = simulator(test_mode=True, test_payment_success=succeeds)
    assert await approved(bank, 100, "upi") == float(succeeds)


@pytest.mark.parametrize("kind", get_args(ChildKind))
async def test_what_follows_an_approval_always_succeeds_as_in_the_seed(kind: BankCall) -> None:
    bank = simulator(upi_success_rate=0.0, test_mode=True, test_payment_success=False)
    for n in range(50):
        assert (await said(bank, call(kind, str(n)))).outcome == "approved"


@pytest.mark.parametrize("kind", ["authorize", "refund"])
async def test_in_test_mode_the_bank_takes_the_time_that_is_set(kind: BankCall) -> None:
    bank = simulator(test_mode=True, test_processing_delay_ms=7)
    assert (await said(bank, call(kind))).after_ms == 7


@pytest.mark.parametrize(("kind", "least", "most"), [
    ("authorize", 5000, 10_000), ("refund", 3000, 5000),
])  # fmt: skip
async def test_outside_test_mode_it_takes_the_seeds_seconds(
    kind: BankCall, least: int, most: int
) -> None:
    delays = [(await said(simulator(), call(kind, str(n)))).after_ms for n in range(300)]
    assert least <= min(delays) < least + 500
    assert most - 500 < max(delays) <= most


async def test_a_longest_delay_below_the_shortest_is_no_negative_time() -> None:
    bank = simulator(processing_delay_min_ms=100, processing_delay_max_ms=50)
    assert (await bank.authorize(request())).after_ms == 100


@pytest.mark.parametrize("kind", KINDS)
async def test_a_merchant_sets_how_long_it_takes_08_r24(kind: BankCall) -> None:
    bank = simulator(Knobs(latency_ms=LatencyRange(min=200, max=300)), test_mode=True)
    delays = [(await said(bank, call(kind, str(n)))).after_ms for n in range(50)]
    assert 200 <= min(delays) < max(delays) <= 300


@pytest.mark.parametrize("kind", KINDS)
async def test_errors_come_in_the_share_that_is_set_08_r24(kind: BankCall) -> None:
    bank = simulator(Knobs(error_ratio=0.3), test_mode=True)
    answers = [await said(bank, call(kind, str(n))) for n in range(1000)]
    refused = [answer for answer in answers if answer.outcome == "declined"]
    assert len(refused) / 1000 == pytest.approx(0.3, abs=0.05)
    assert {answer.decline_code for answer in refused} == {"issuer_unavailable"}
    assert {answer.advice_code for answer in refused} == {"try_again_later"}


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_that_was_lost_is_found_by_an_inquiry_08_r24(kind: BankCall) -> None:
    bank = simulator(Knobs(timeout_ratio=0.4), test_mode=True)
    calls = [call(kind, str(n)) for n in range(1000)]
    lost = [one for one in calls if (await said(bank, one)).outcome == "unknown"]
    assert len(lost) / 1000 == pytest.approx(0.4, abs=0.05)
    for one in lost[:20]:
        look = one.model_copy(update={"type": "inquire", "look": 1})
        assert (await bank.inquire(look)).outcome == "approved"


NOON = datetime.fromtimestamp(AT_MS / 1000, UTC)


@pytest.mark.parametrize("outage", [True, NOON])
async def test_an_outage_is_over_when_it_is_over_and_spares_no_test_value_08_r24(
    outage: bool | datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = simulator(Knobs(outage=outage, duplicate_ratio=1.0))
    monkeypatch.setattr(module, "now_ms", lambda: AT_MS - 1)
    for kind in KINDS:
        asked = call(kind, scenario="approve")
        answer = await said(bank, asked)
        assert answer.outcome == "unknown"
        assert bank.callbacks(asked, answer) == ()
    look = request(look=1, scenario="approve")
    assert (await bank.inquire(look)).outcome == "unknown"
    monkeypatch.setattr(module, "now_ms", lambda: AT_MS)
    expected = "unknown" if outage is True else "approved"
    assert (await bank.inquire(look)).outcome == expected


@pytest.mark.parametrize("kind", KINDS)
async def test_answers_are_repeated_in_the_share_that_is_set_and_not_in_order_08_r24(
    kind: BankCall,
) -> None:
    bank = simulator(Knobs(duplicate_ratio=0.5, error_ratio=0.5), test_mode=True)
    repeated = 0
    for n in range(200):
        asked = call(kind, str(n))
        answer = await said(bank, asked)
        callbacks = bank.callbacks(asked, answer)
        assert callbacks == bank.callbacks(asked, answer)
        assert len(callbacks) in (0, 3)
        assert all(callback.answer == answer for callback in callbacks)
        if callbacks:
            repeated += 1
            times = [callback.after_ms for callback in callbacks]
            assert times != sorted(times)
            assert times[0] <= answer.after_ms
    assert repeated / 200 == pytest.approx(0.5, abs=0.1)


async def test_knobs_are_one_merchants_and_for_test_payments_08_r24() -> None:
    bank = simulator(Knobs(outage=True))
    for asked in (
        request(scenario="approve", merchant_id="mer_2"),
        request(scenario="approve", mode="live"),
    ):
        answer = await bank.authorize(asked)
        assert answer.outcome == "approved"
