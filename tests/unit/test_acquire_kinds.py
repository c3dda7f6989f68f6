"""Acquire: the guard holds for every kind of call, and a bank may misbehave as it likes
(07 §6, rows 32 and 33)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, get_args

import pytest

from headgate.agents.acquirers.protocol import Answer, Callback
from headgate.agents.bank_words import AFTER_MAX_MS, CALLBACKS_MAX
from headgate.streams.codec import encode
from headgate.streams.commands import AcquirerRequest, BankCall, ChildKind, Outcome
from headgate.streams.errors import LogUnavailable
from tests.unit.fake_bank import Bank, Desk, request

KINDS: tuple[BankCall, ...] = ("authorize", *get_args(ChildKind))


def call(kind: BankCall, **change: Any) -> AcquirerRequest:
    return request(type=kind, about=kind, **change)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_call_reaches_the_bank_once(desk: Desk, kind: BankCall) -> None:
    for _ in range(2):
        await desk.hand(encode(call(kind)))
    assert desk.bank.asked == [(kind, 0)]
    first, second = desk.answers()
    assert (first.operation, first.outcome) == (kind, "approved")
    assert first == second


@pytest.mark.parametrize("remembered", ["approved", "declined", "unknown", "challenged"])
@pytest.mark.parametrize("kind", KINDS)
async def test_after_a_crash_in_mid_call_no_kind_is_asked_blindly_again(
    desk: Desk, kind: BankCall, remembered: Outcome
) -> None:
    """07 §6 row 32."""
    await desk.attempts.sent([call(kind)])
    desk.bank.remembers = Answer(remembered)
    await desk.hand(encode(call(kind)))
    assert desk.bank.asked == [("inquire", 0)]
    [answer] = desk.answers()
    assert (answer.operation, answer.outcome) == (kind, remembered)


@pytest.mark.parametrize("kind", KINDS)
async def test_only_what_the_bank_never_saw_is_sent_again_with_the_same_attempt(
    desk: Desk, kind: BankCall
) -> None:
    await desk.attempts.sent([call(kind)])
    desk.bank.remembers = Answer("not_found")
    await desk.hand(encode(call(kind)))
    assert desk.bank.asked == [("inquire", 0), (kind, 0)]
    [answer] = desk.answers()
    assert answer.attempt_id == call(kind).attempt_id


NONSENSE: list[Any] = [
    None,
    "approved",
    {"outcome": "approved"},
    Answer("aproved"),  # type: ignore[arg-type]
    Answer("approved", amount=50_001),
    Answer("approved", amount=0),
    Answer("approved", amount=-1),
    Answer("approved", amount=1.5),  # type: ignore[arg-type]
    Answer("approved", amount=True),
    Answer("approved", reference=7),  # type: ignore[arg-type]
    Answer("declined", decline_code=b"x"),  # type: ignore[arg-type]
    Answer("approved", after_ms=-1),
    Answer("approved", after_ms=AFTER_MAX_MS + 1),
]


@pytest.mark.parametrize("said", NONSENSE, ids=repr)
@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_that_makes_no_sense_is_doubt(
    desk: Desk, kind: BankCall, said: Any
) -> None:
    """Row 33: it may have moved money, so it is neither yes nor no."""
    desk.bank.says = said
    await desk.hand(encode(call(kind)))
    assert [answer.outcome for answer in desk.answers()] == ["unknown"]


@pytest.mark.parametrize("kind", get_args(ChildKind))
async def test_only_an_authorisation_is_approved_in_part(desk: Desk, kind: BankCall) -> None:
    desk.bank.says = Answer("approved", amount=30_000)
    await desk.hand(encode(call("authorize")))
    await desk.hand(encode(call(kind, attempt_id="att_2")))
    authorized, other = desk.answers()
    assert (authorized.outcome, authorized.amount) == ("approved", 30_000)
    assert (other.outcome, other.amount) == ("unknown", 50_000)


class Deaf(Bank):
    """A bank whose connector takes half a minute and does not let itself be cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.release = asyncio.Event()
        self.cancelled = 0

    async def capture(self, request: AcquirerRequest) -> Answer:
        """Goes on, whatever happens."""
        while not self.release.is_set():
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
        return await super().capture(request)


async def test_a_connector_that_does_not_stop_holds_nobody_up() -> None:
    """Row 33: slow 30 s."""
    desk, bank = Desk(acquirer_timeout_ms=10), Deaf()
    desk.acquire = type(desk.acquire)(desk.settings, desk.attempts, desk.bus, bank)
    async with asyncio.timeout(5):
        await desk.hand(encode(call("capture")))
        await desk.hand(encode(call("authorize", attempt_id="att_2")))
    assert [answer.outcome for answer in desk.answers()] == ["unknown", "approved"]
    assert bank.cancelled == 1
    bank.release.set()
    await asyncio.sleep(0)
    await desk.hand(encode(call("capture")))
    assert [answer.outcome for answer in desk.answers()] == ["unknown"]


async def test_one_slow_call_keeps_no_other_waiting(desk: Desk) -> None:
    bank = Deaf()
    desk.acquire = type(desk.acquire)(desk.settings, desk.attempts, desk.bus, bank)
    slow = asyncio.create_task(desk.hand(encode(call("capture"))))
    for number in range(20):
        await desk.hand(encode(call("authorize", attempt_id=f"att_{number}")))
    assert len(desk.answers()) == 20
    assert not slow.done()
    bank.release.set()
    await slow
    assert [answer.outcome for answer in desk.answers()] == ["approved"]


@pytest.mark.parametrize("raised", [ConnectionResetError("gone"), asyncio.CancelledError()])
async def test_whatever_a_connector_raises_is_doubt(desk: Desk, raised: BaseException) -> None:
    def fail() -> None:
        raise raised

    desk.bank.act = fail
    await desk.hand(encode(call("refund")))
    assert [answer.outcome for answer in desk.answers()] == ["unknown"]


TWICE = [Callback(Answer("approved", "ref_1"), 0), Callback(Answer("declined"), 0)]


async def test_callbacks_are_commands_of_their_own_and_the_same_ones_after_a_crash(
    desk: Desk,
) -> None:
    """Row 33. The log failed when they were told: the request comes again, they come again."""
    desk.bank.calls_back = TWICE
    desk.bus.failures = [LogUnavailable("Kafka is away")]
    with pytest.raises(LogUnavailable):
        await desk.hand(encode(call("refund")))
    await desk.hand(encode(call("refund")))
    await desk.hand(encode(call("refund")))
    told = desk.answers()
    assert desk.bank.asked == [("refund", 0)]
    assert [(answer.callback, answer.outcome) for answer in told[:3]] == [
        (0, "approved"),
        (1, "approved"),
        (2, "declined"),
    ]
    assert told[3:] == told[:3]
    assert len({answer.command_id for answer in told}) == 3
    assert {answer.operation for answer in told} == {"refund"}


async def test_callbacks_of_two_looks_do_not_meet(desk: Desk) -> None:
    desk.bank.calls_back = TWICE
    for look in range(3):
        await desk.hand(encode(request(look=look)))
    assert len({answer.command_id for answer in desk.answers()}) == 9


async def test_a_callback_that_makes_no_sense_says_nothing(desk: Desk) -> None:
    bad: list[Any] = [None, Callback(Answer("approved"), -1), *[Callback(a, 0) for a in NONSENSE]]
    desk.bank.calls_back = [*bad[: CALLBACKS_MAX - 1], TWICE[0]]
    await desk.hand(encode(call("authorize")))
    assert len(desk.answers()) == 2


async def test_a_bank_that_calls_back_without_end_is_heard_ten_times(desk: Desk) -> None:
    desk.bank.calls_back = [TWICE[0]] * 1000
    await desk.hand(encode(call("authorize")))
    assert len(desk.answers()) == 1 + CALLBACKS_MAX


async def test_a_connector_whose_callbacks_fail_costs_only_them(desk: Desk) -> None:
    class Broken(Bank):
        def callbacks(self, request: AcquirerRequest, answer: Answer) -> Sequence[Callback]:
            raise ZeroDivisionError

    desk.acquire = type(desk.acquire)(desk.settings, desk.attempts, desk.bus, Broken())
    await desk.hand(encode(call("authorize")))
    assert [answer.callback for answer in desk.answers()] == [0]
