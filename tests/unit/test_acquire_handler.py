"""Acquire: a bank is asked once, doubt is an answer, and a crash never charges twice (00 A16)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine

import pytest

from headgate.agents import acquire as module
from headgate.agents.acquire import Acquire
from headgate.agents.acquirers.protocol import Answer
from headgate.agents.bank_words import BANK_WORD_MAX
from headgate.streams import ids
from headgate.streams.codec import decode, encode
from headgate.streams.commands import (
    ACQUIRER_REQUEST,
    COMMAND,
    AcquirerRequest,
    Outcome,
)
from headgate.streams.delays import NOT_BEFORE, TARGET
from headgate.streams.errors import LogUnavailable, StoreUnavailable
from headgate.streams.settings import Settings
from tests.unit.builders import AT_MS
from tests.unit.fake_bank import Bank, Desk, request
from tests.unit.fake_store import headers

COMMANDS, DEAD = "payments.commands", "acquirer.requests.dead"


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_request_is_asked_once_and_answered_with_a_derived_command(desk: Desk) -> None:
    asked = request()
    await desk.hand(encode(asked))
    assert desk.bank.asked == [("authorize", 0)]
    [record] = desk.bus.published
    assert (record.topic, record.partition) == (COMMANDS, 3)
    assert record.key == asked.payment_id.encode()
    [answer] = desk.answers()
    assert answer.command_id == ids.command_id(
        asked.payment_id, "authorize", f"{asked.attempt_id}:0"
    )
    assert (answer.outcome, answer.amount, answer.reference) == ("approved", 50_000, "ref_1")


async def test_an_answer_that_is_on_record_is_told_again_without_asking(desk: Desk) -> None:
    await desk.hand(encode(request()))
    first = desk.answers()
    await desk.hand(encode(request()))
    assert desk.bank.asked == [("authorize", 0)]
    assert desk.answers() == first


@pytest.mark.parametrize("remembered", ["approved", "declined", "unknown"])
async def test_after_a_crash_in_mid_call_the_bank_is_inquired_and_not_charged_again(
    desk: Desk, remembered: Outcome
) -> None:
    await desk.attempts.sent([request()])
    desk.bank.remembers = Answer(remembered)
    await desk.hand(encode(request()))
    assert desk.bank.asked == [("inquire", 0)]
    assert [answer.outcome for answer in desk.answers()] == [remembered]


async def test_only_what_the_bank_never_saw_is_sent_again(desk: Desk) -> None:
    await desk.attempts.sent([request()])
    desk.bank.remembers = Answer("not_found")
    await desk.hand(encode(request()))
    assert desk.bank.asked == [("inquire", 0), ("authorize", 0)]
    assert [answer.outcome for answer in desk.answers()] == ["approved"]


@pytest.mark.parametrize("outcome", ["approved", "not_found", "unknown"])
async def test_an_inquiry_only_inquires_whatever_it_finds(desk: Desk, outcome: Outcome) -> None:
    desk.bank.remembers = Answer(outcome)
    await desk.hand(encode(request(look=2)))
    assert desk.bank.asked == [("inquire", 2)]
    [answer] = desk.answers()
    assert (answer.operation, answer.look, answer.outcome) == ("inquire", 2, outcome)


async def test_each_look_is_another_command(desk: Desk) -> None:
    for look in range(3):
        await desk.hand(encode(request(look=look)))
    assert len({answer.command_id for answer in desk.answers()}) == 3


async def test_a_bank_that_fails_leaves_doubt_and_no_error(desk: Desk) -> None:
    def fail() -> None:
        raise ConnectionResetError("gone")

    desk.bank.act = fail
    await desk.hand(encode(request()))
    assert [answer.outcome for answer in desk.answers()] == ["unknown"]


async def test_a_bank_that_is_late_leaves_doubt() -> None:
    desk = Desk(acquirer_timeout_ms=10)

    class Slow(Bank):
        async def authorize(self, request: AcquirerRequest) -> Answer:
            await asyncio.sleep(5)
            return Answer("approved")

    desk.acquire = Acquire(
        Settings().model_copy(update={"acquirer_timeout_ms": 10}), desk.attempts, desk.bus, Slow()
    )
    await desk.hand(encode(request()))
    assert [answer.outcome for answer in desk.answers()] == ["unknown"]


async def test_waiting_for_a_bank_is_state_on_the_log_and_holds_nobody_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """00 A9: the simulated bank's time is a delayed answer."""
    monkeypatch.setattr(module, "now_ms", lambda: AT_MS)
    desk.bank.says = Answer("approved", after_ms=7000)
    async with asyncio.timeout(2):
        await desk.hand(encode(request()))
    [delayed] = desk.bus.on("delay.5s")
    told = headers(delayed)
    assert (told[NOT_BEFORE], told[TARGET]) == (str(AT_MS + 7000), COMMANDS)
    assert told["ce_type"] == "acquirer.answer"
    assert decode(COMMAND, delayed.value).type == "acquirer.answer"


@pytest.mark.parametrize("fails", range(3))
async def test_an_outage_at_any_step_is_raised_and_the_next_try_ends_well(
    desk: Desk, fails: int
) -> None:
    away = StoreUnavailable("PostgreSQL is away")
    if fails == 0:
        desk.attempts.failures = [away]
    elif fails == 1:
        desk.bank.act = lambda: desk.attempts.failures.append(away)
    else:
        desk.bus.failures = [LogUnavailable("Kafka is away")]
    with pytest.raises((StoreUnavailable, LogUnavailable)):
        await desk.hand(encode(request()))
    desk.bank.act = None
    await desk.hand(encode(request()))
    assert desk.bank.asked.count(("authorize", 0)) == 1
    assert [answer.outcome for answer in desk.answers()] == ["approved"]


async def test_a_request_that_nobody_can_read_is_a_dead_letter(desk: Desk) -> None:
    await desk.hand(b"\xff")
    [dead] = desk.bus.on(DEAD)
    assert (dead.value, dead.partition) == (b"\xff", 3)
    assert desk.bank.asked == []


async def test_a_request_that_the_store_refuses_takes_no_other_along(desk: Desk) -> None:
    """08 R6, for the statement that many requests share."""
    bad, good = request("bad"), request("good")
    desk.attempts.poison = {bad.payment_id}
    await asyncio.gather(desk.hand(encode(bad)), desk.hand(encode(good)))
    [dead] = desk.bus.on(DEAD)
    assert decode(ACQUIRER_REQUEST, dead.value) == bad
    assert [answer.payment_id for answer in desk.answers()] == [good.payment_id]


async def test_an_answer_that_the_store_refuses_takes_no_other_along(desk: Desk) -> None:
    bad, good = request("bad"), request("good")
    desk.attempts.unkept = {bad.payment_id}
    await asyncio.gather(desk.hand(encode(bad)), desk.hand(encode(good)))
    [dead] = desk.bus.on(DEAD)
    assert decode(ACQUIRER_REQUEST, dead.value) == bad
    assert [answer.payment_id for answer in desk.answers()] == [good.payment_id]


async def test_copies_that_come_together_are_one_call_and_one_answer(desk: Desk) -> None:
    """Settle tells a request again after a producer failed; a bank must not hear it twice."""
    await asyncio.gather(*(desk.hand(encode(request())) for _ in range(3)))
    assert desk.bank.asked == [("authorize", 0)]
    first, *others = desk.answers()
    assert others == [first, first]


class CopyingBank(Bank):
    """A bank that does not answer before a copy of its first request has had its chance."""

    def __init__(self, copy: Callable[[], Coroutine[None, None, None]]) -> None:
        super().__init__()
        self.copies: list[asyncio.Task[None]] = []
        self._copy = copy
        self._heard = asyncio.Event()

    async def authorize(self, request: AcquirerRequest) -> Answer:
        """A charge, of which inquiries know nothing yet."""
        if not self.copies:
            self.copies.append(asyncio.create_task(self._copy()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._heard.wait(), 0.05)
        return await super().authorize(request)

    async def inquire(self, request: AcquirerRequest) -> Answer:
        """Not seen."""
        self._heard.set()
        return Answer("not_found")


async def test_a_copy_during_the_call_waits_for_it(desk: Desk) -> None:
    bank = CopyingBank(lambda: desk.hand(encode(request())))
    desk.acquire = Acquire(Settings(), desk.attempts, desk.bus, bank)
    await desk.hand(encode(request()))
    await asyncio.gather(*bank.copies)
    assert bank.asked == [("authorize", 0)]
    first, second = desk.answers()
    assert first == second


async def test_the_answer_that_is_on_record_is_told_and_not_a_later_one(desk: Desk) -> None:
    """Another process may have answered meanwhile; both answers have one command id."""
    asked = request()
    await desk.hand(encode(asked))
    [stored] = desk.answers()
    key = (asked.attempt_id, 0)
    desk.attempts.rows.clear()
    desk.bank.says = Answer("declined")
    desk.bank.act = lambda: desk.attempts.rows.update({key: stored})
    await desk.hand(encode(asked))
    assert desk.answers() == [stored]


async def test_requests_of_one_loop_turn_share_their_round_trips(desk: Desk) -> None:
    await asyncio.gather(*(desk.hand(encode(request(str(n)))) for n in range(20)))
    assert desk.attempts.batches == [20]
    assert len(desk.answers()) == 20


async def test_a_banks_words_are_kept_as_far_as_they_can_be_stored(desk: Desk) -> None:
    """A NUL in a reference would be refused by PostgreSQL again and again, here and in settle."""
    desk.bank.says = Answer("declined", "re\0f", "\ud800code", "x" * 5000)
    await desk.hand(encode(request()))
    [answer] = desk.answers()
    assert (answer.reference, answer.decline_code) == ("ref", "?code")
    assert answer.advice_code == "x" * BANK_WORD_MAX


async def test_no_card_number_reaches_a_bank_request() -> None:
    assert not {"number", "cvv"} & set(AcquirerRequest.model_fields)
