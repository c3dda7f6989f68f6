"""Settle when things come again or cannot be settled: told again in order, nobody blocked."""

from __future__ import annotations

from uuid import uuid4

import pytest

from headgate.agents import settle as module
from headgate.streams.codec import decode, encode
from headgate.streams.commands import (
    COMMAND,
    AcquirerAnswer,
    CapturePayment,
    Command,
    CreatePayment,
    Timer,
)
from headgate.streams.errors import ClaimLost, LogUnavailable
from headgate.tables.payments import Decision, decide
from headgate.tables.requests import HOLD_WINDOW_MS
from tests.unit.builders import (
    AT_MS,
    an_answer,
    answer_to,
    asks,
    child_answer,
    create,
    processing,
)
from tests.unit.fake_store import Stage, headers, told

FACTS, REQUESTS, DEAD = "payments.facts", "acquirer.requests", "payments.commands.dead"


@pytest.fixture
def stage() -> Stage:
    return Stage()


# Again


async def test_a_redelivered_record_tells_its_stored_outputs_again(stage: Stage) -> None:
    """08 R3: killed between its commit and its publish, a worker leaves facts untold."""
    command = create()
    stage.bus.failures = [LogUnavailable("killed here")]
    with pytest.raises(LogUnavailable):
        await stage.hand(command)
    successor = Stage(stage.store)
    await successor.hand(command)
    records = successor.bus.on(FACTS)
    assert [r.value for r in records] == list(stage.store.facts.values())
    assert headers(records[0])["merchant-id"] == command.merchant_id
    assert len(successor.bus.on(REQUESTS)) == 1
    assert len(stage.store.known) == 1


async def test_a_redelivered_inquiry_goes_through_its_delay_again(stage: Stage) -> None:
    command = create()
    await stage.hand(command, answer_to(command, "unknown"))
    [first] = stage.bus.on("delay.1s")
    successor = Stage(stage.store)
    await successor.hand(command, answer_to(command, "unknown"))
    [again] = successor.bus.on("delay.1s")
    assert (again.value, headers(again)) == (first.value, headers(first))


async def test_facts_stay_in_order_when_old_and_new_ones_meet_in_a_batch(stage: Stage) -> None:
    """00 §6, 4: the create was stored and never told; its answer is new in the same batch."""
    command = create()
    stage.bus.failures = [LogUnavailable("killed here")]
    with pytest.raises(LogUnavailable):
        await stage.hand(command)
    successor = Stage(stage.store)
    await successor.hand(command, answer_to(command, "approved"))
    assert told(successor) == [(command.payment_id, n) for n in range(1, 7)]


async def test_a_retry_in_place_tells_all_of_it(stage: Stage) -> None:
    one, two = create("one"), create("two")
    batch = stage.batch(one, two, answer_to(one, "approved"))
    stage.bus.failures = [LogUnavailable("the broker is away")]
    with pytest.raises(LogUnavailable):
        await stage.settle.handle(batch)
    await stage.settle.handle(batch)
    seen = told(stage)
    assert [s for p, s in seen if p == one.payment_id] == [1, 2, 3, 4, 5, 6]
    assert [s for p, s in seen if p == two.payment_id] == [1, 2, 3]


@pytest.mark.parametrize("at", [1, 7])
async def test_a_duplicate_at_another_offset_tells_nothing(stage: Stage, at: int) -> None:
    """08 R3."""
    command = create()
    await stage.hand(command)
    stage.bus.published.clear()
    await stage.hand(command, at=at)
    assert stage.bus.published == []
    assert stage.store.positions == {0: at + 1}


async def test_a_duplicate_in_another_partition_tells_nothing(stage: Stage) -> None:
    command = create()
    await stage.hand(command)
    stage.bus.published.clear()
    batch = stage.batch(command)
    batch.records[0].partition = 1
    await stage.settle.handle(batch)
    assert stage.bus.published == []


async def test_a_duplicate_within_a_batch_counts_once(stage: Stage) -> None:
    command = create()
    await stage.hand(command, command, answer_to(command, "approved"), command)
    assert told(stage) == [(command.payment_id, n) for n in range(1, 7)]
    assert len(stage.bus.on(REQUESTS)) == 1


# What cannot be settled


async def test_a_record_that_nobody_can_read_is_a_dead_letter(stage: Stage) -> None:
    """00 A13."""
    command = create()
    await stage.hand(b"\xff\x00", command)
    [dead] = stage.bus.on(DEAD)
    assert (dead.value, dead.partition) == (b"\xff\x00", 0)
    origin = headers(dead)
    assert (origin["x-origin-topic"], origin["x-origin-offset"]) == ("payments.commands", "0")
    assert origin["x-reason"].startswith("the record: Invalid JSON")
    assert len(told(stage)) == 3
    assert stage.store.positions == {0: 2}


async def test_a_command_for_an_unknown_payment_is_a_dead_letter_and_not_recorded(
    stage: Stage,
) -> None:
    """08 R14: retryable, so the very same command must count when it is replayed."""
    command = create()
    early = answer_to(command, "approved")
    await stage.hand(early)
    [dead] = stage.bus.on(DEAD)
    assert headers(dead)["x-reason"] == f"no payment {command.payment_id}"
    assert stage.store.known == {}
    await stage.hand(command, early, at=1)
    assert stage.store.rows[command.payment_id].state == "captured"


async def test_a_bug_in_decide_quarantines_its_record_and_stops_nobody(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def buggy(payment: object, command: CreatePayment | AcquirerAnswer, at_ms: int) -> Decision:
        if isinstance(command, CreatePayment) and command.order_id == "evil":
            raise ZeroDivisionError
        return decide(None, command, at_ms)

    monkeypatch.setattr(module, "decide", buggy)
    good = create("good")
    await stage.hand(create("bad", order_id="evil"), good)
    [dead] = stage.bus.on(DEAD)
    assert headers(dead)["x-reason"] == "quarantined: ZeroDivisionError"
    assert {payment for payment, _ in told(stage)} == {good.payment_id}


@pytest.mark.parametrize("culprit", range(5))
async def test_a_row_that_the_store_refuses_is_found_and_the_others_are_settled(
    stage: Stage, culprit: int
) -> None:
    """08 R6: bisect, send the culprit to the dead letters, go on."""
    stage.store.poison = {"poison"}
    commands = [
        create(str(n), order_id="poison" if n == culprit else f"order_{n}") for n in range(5)
    ]
    await stage.hand(*commands)
    [dead] = stage.bus.on(DEAD)
    assert headers(dead)["x-origin-offset"] == str(culprit)
    assert "22021" in headers(dead)["x-reason"]
    settled = {command.payment_id for command in commands} - {commands[culprit].payment_id}
    assert set(stage.store.rows) == settled
    assert {payment for payment, _ in told(stage)} == settled
    assert stage.store.positions == {0: 5}


async def test_two_refused_rows_are_both_found(stage: Stage) -> None:
    stage.store.poison = {"poison"}
    await stage.hand(
        *[create(str(n), order_id="poison" if n in (1, 4) else "fine") for n in range(6)]
    )
    assert [headers(dead)["x-origin-offset"] for dead in stage.bus.on(DEAD)] == ["1", "4"]
    assert len(stage.store.rows) == 4


async def test_a_lost_claim_while_bisecting_publishes_no_dead_letter(stage: Stage) -> None:
    stage.store.poison = {"poison"}
    batch = stage.batch(create(order_id="poison"))
    stage.store.before_settle = lambda: stage.store.tokens.update({0: uuid4()})
    with pytest.raises(ClaimLost):
        await stage.settle.handle(batch)
    assert stage.bus.published == []


# What settle cannot put right by itself


def contradicted() -> list[Command]:
    """A capture that the bank refused and then, of its own accord, calls approved."""
    command = create(capture_method="manual")
    capture = asks(CapturePayment, command)
    held = decide(processing(capture_method="manual"), an_answer("approved"), AT_MS).payment
    assert held is not None
    [child] = decide(held, capture, AT_MS).children
    return [
        command,
        answer_to(command, "approved"),
        capture,
        child_answer(held, child, "declined"),
        child_answer(held, child, "approved", callback=1),
    ]


async def test_an_approval_of_a_failed_capture_is_recorded_and_raises_an_alarm(
    stage: Stage,
) -> None:
    """Money moved that the merchant was told did not; only a person can tell what is right."""
    *commands, late = contradicted()
    await stage.hand(*commands, late)
    [dead] = stage.bus.on(DEAD)
    assert dead.value == encode(late)
    assert headers(dead)["x-reason"] == module.REVERSE_IT
    assert stage.store.rows[late.payment_id].state == "authorized"
    assert late.command_id in stage.store.known
    await stage.hand(late, at=9)
    assert stage.bus.on(DEAD) == []


async def test_the_alarm_of_a_late_approval_outlives_a_crash(stage: Stage) -> None:
    commands = contradicted()
    stage.bus.failures = [LogUnavailable("killed here")]
    with pytest.raises(LogUnavailable):
        await stage.hand(*commands)
    successor = Stage(stage.store)
    await successor.hand(*commands)
    [dead] = successor.bus.on(DEAD)
    assert headers(dead)["x-reason"] == module.REVERSE_IT


async def test_a_reminder_goes_through_a_delay_topic_back_to_settle(stage: Stage) -> None:
    """Holds end after seven days: the command waits as a record (00 A9)."""
    command = create(capture_method="manual")
    await stage.hand(command, answer_to(command, "approved"))
    [waiting] = stage.bus.on("delay.24h")
    told_to = headers(waiting)
    assert told_to["target"] == "payments.commands"
    assert int(told_to["not-before"]) == AT_MS + 1 + HOLD_WINDOW_MS
    reminder = decode(COMMAND, waiting.value)
    assert isinstance(reminder, Timer)
    assert (reminder.timer, waiting.key) == ("hold", command.payment_id.encode())


async def test_an_approval_that_counted_raises_no_alarm_when_it_comes_again(stage: Stage) -> None:
    command = create()
    for _ in range(2):
        await stage.hand(command, answer_to(command, "approved"))
    assert stage.bus.on(DEAD) == []
