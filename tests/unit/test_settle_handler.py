"""Settle: decided once, stored before told, told again when in doubt, nobody blocked by a row."""

from __future__ import annotations

from uuid import uuid4

import pytest

from headgate.agents import settle as module
from headgate.streams.clock import iso
from headgate.streams.codec import decode
from headgate.streams.commands import ACQUIRER_REQUEST
from headgate.streams.delays import NOT_BEFORE, TARGET
from headgate.streams.errors import ClaimLost, StoreUnavailable
from tests.unit.builders import AT_MS, answer_to, create
from tests.unit.fake_store import FakePaymentStore, Stage, facts, headers, told

FACTS, REQUESTS, DEAD = "payments.facts", "acquirer.requests", "payments.commands.dead"


@pytest.fixture
def stage() -> Stage:
    return Stage()


# The good case


async def test_a_create_is_stored_told_and_asked_of_the_bank(stage: Stage) -> None:
    command = create()
    await stage.hand(command)
    assert stage.store.rows[command.payment_id].state == "processing"
    assert stage.store.positions == {0: 1}
    records = stage.bus.on(FACTS)
    assert [fact.sequence for fact in facts(records)] == [1, 2, 3]
    assert {record.key for record in records} == {command.payment_id.encode()}
    assert {record.timestamp_ms for record in records} == {AT_MS}
    assert headers(records[0])["ce_type"] == "payment.created"
    [request] = stage.bus.on(REQUESTS)
    assert decode(ACQUIRER_REQUEST, request.value).payment_id == command.payment_id


async def test_what_is_told_has_the_very_bytes_that_are_stored(stage: Stage) -> None:
    """08 R9."""
    command = create(metadata={"b": "1", "a": "2"})
    await stage.hand(command, answer_to(command, "approved"))
    assert [record.value for record in stage.bus.on(FACTS)] == list(stage.store.facts.values())


async def test_a_whole_life_fits_into_one_batch(stage: Stage) -> None:
    command = create()
    await stage.hand(command, answer_to(command, "approved"))
    assert told(stage) == [(command.payment_id, n) for n in range(1, 7)]
    assert stage.store.version(command.payment_id) == 2
    assert len(stage.store.rounds) == 1


async def test_an_open_payment_is_decided_from_memory_without_a_query(stage: Stage) -> None:
    command = create()
    await stage.hand(command)
    await stage.hand(answer_to(command, "approved"), at=1)
    assert stage.store.loads == []


async def test_a_payment_that_is_not_hot_is_read_from_the_store(stage: Stage) -> None:
    command = create()
    await stage.hand(command)
    other = Stage(stage.store)
    await other.hand(answer_to(command, "approved"), at=1)
    assert stage.store.loads == [{command.payment_id}]
    assert told(other) == [(command.payment_id, n) for n in (4, 5, 6)]


async def test_the_changelog_holds_open_payments_and_forgets_final_ones(stage: Stage) -> None:
    """00 A7."""
    command = create()
    await stage.hand(command)
    [kept] = stage.bus.on("changelog")
    assert kept.value is not None
    await stage.hand(answer_to(command, "declined"), at=1)
    [dropped] = stage.bus.on("changelog")
    assert (dropped.key, dropped.value) == (command.payment_id.encode(), None)
    assert stage.table.data == {}


async def test_an_inquiry_waits_in_a_delay_topic(stage: Stage) -> None:
    command = create()
    await stage.hand(command, answer_to(command, "unknown"))
    [inquiry] = stage.bus.on("delay.1s")
    told = headers(inquiry)
    assert (told[NOT_BEFORE], told[TARGET]) == (str(AT_MS + 1 + 1000), REQUESTS)
    assert (told["ce_type"], told["ce_time"]) == ("acquirer.inquire", iso(AT_MS + 1))
    assert decode(ACQUIRER_REQUEST, inquiry.value).look == 1


async def test_a_refusal_is_recorded_and_tells_nothing(stage: Stage) -> None:
    """08 R10: one row per command, refusals included."""
    command = create()
    again = create(command_id="cmd_other", amount=1)
    await stage.hand(command, again)
    assert set(stage.store.known) == {command.command_id, "cmd_other"}
    assert told(stage) == [(command.payment_id, n) for n in (1, 2, 3)]
    assert stage.store.rows[command.payment_id].amount == command.amount


# Compare and set


async def test_a_stale_state_is_reloaded_and_decided_again(stage: Stage) -> None:
    """08 R1: a worker frozen between its commit and its changelog leaves old entries behind."""
    command = create()
    await stage.hand(command)
    stale = dict(stage.table.data)
    await stage.hand(answer_to(command, "unknown"), at=1)
    told(stage)
    thawed = Stage(stage.store)
    thawed.table.data = stale
    await thawed.hand(answer_to(command, "approved", 1), at=2)
    assert len(stage.store.rounds) == 4
    assert [f.previous["state"] for f in facts(thawed.bus.on(FACTS))[:1]] == ["in_doubt"]
    assert stage.store.rows[command.payment_id].version == 3


async def test_a_create_of_a_payment_that_exists_is_found_out_by_the_store(stage: Stage) -> None:
    """A create is taken to be new; Redis may have forgotten the key (00 §6, 2)."""
    command = create()
    await stage.hand(command)
    other = Stage(stage.store)
    await other.hand(create(command_id="cmd_again", amount=7), at=1)
    assert told(other) == []
    assert other.bus.on(REQUESTS) == []
    assert stage.store.rows[command.payment_id].amount == command.amount
    assert "cmd_again" in stage.store.known


async def test_one_stale_payment_does_not_change_what_the_others_get(stage: Stage) -> None:
    one, two = create("one"), create("two")
    await stage.hand(one)
    other = Stage(stage.store)
    await other.hand(two, create("one", command_id="cmd_again"), at=1)
    assert told(other) == [(two.payment_id, n) for n in (1, 2, 3)]


async def test_a_batch_that_stays_contested_is_tried_again_later(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = create()
    await stage.hand(command)

    class Contested(FakePaymentStore):
        def version(self, payment_id: str) -> int:
            return len(self.rounds) + 100

    contested = Contested()
    contested.rows = stage.store.rows
    with pytest.raises(StoreUnavailable, match="contested"):
        await Stage(contested).hand(answer_to(command, "approved"), at=1)
    assert len(contested.rounds) == module.ROUNDS_MAX


async def test_a_lost_claim_publishes_nothing(stage: Stage) -> None:
    """00 A5."""
    stage.store.tokens[0] = uuid4()
    with pytest.raises(ClaimLost):
        await stage.hand(create())
    assert stage.bus.published == []
    assert stage.store.rows == {}
    assert stage.table.data == {}
