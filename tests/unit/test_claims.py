"""No work without a claim: tokens, incarnations, and partitions that must not be touched."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from uuid import uuid4

import pytest

from headgate.streams.engine.claims import (
    EXIT_BUG,
    EXIT_CLAIM_LOST,
    EXIT_SUPERSEDED,
    Claim,
    Identity,
    Ownership,
)
from headgate.streams.errors import ClaimLost, LogUnavailable
from tests.unit.fakes import TOPIC, FakeClaimStore, Left, Row, own, ownership, until

ID = "headgate/settle/0"


@pytest.fixture
def store() -> FakeClaimStore:
    return FakeClaimStore()


# Tokens


async def test_every_assignment_takes_fresh_tokens(store: FakeClaimStore) -> None:
    """08 R2: tokens are drawn, not counted, and a token is good for one assignment."""
    mine = ownership(store)
    first = {p: claim.token for p, claim in (await own(mine, 0, 1)).items()}
    await mine.revoked(0.1)
    second = {p: claim.token for p, claim in (await own(mine, 0, 1)).items()}
    assert not set(first.values()) & set(second.values())
    assert all(token.version == 4 for token in (*first.values(), *second.values()))


async def test_a_claim_begins_where_the_outputs_are_published(store: FakeClaimStore) -> None:
    """08 R4: not at `next_offset`, or what was decided and never told would be skipped."""
    await own(ownership(store), 0)
    store.rows[TOPIC, 0].next_offset, store.rows[TOPIC, 0].published_offset = 12, 7
    claim = (await own(ownership(store), 0))[0]
    assert (claim.position, claim.next_offset, claim.published_offset) == (7, 12, 7)


async def test_a_claim_knows_what_an_earlier_owner_may_have_worked_on(
    store: FakeClaimStore,
) -> None:
    claim = (await own(ownership(store, ends={0: 33}), 0))[0]
    assert claim.log_end == 33


async def test_claims_are_per_topic_and_owned_by_an_incarnation(store: FakeClaimStore) -> None:
    mine = ownership(store)
    mine.assigned([(TOPIC, 0), ("webhooks.ready", 0), (TOPIC, 1)])
    await mine.ready.wait()
    assert sorted(mine.of(TOPIC)) == [0, 1]
    assert sorted(mine.of("webhooks.ready")) == [0]
    assert {row.owner for row in store.rows.values()} == {f"{ID}#1"}


async def test_an_assignment_returns_at_once_and_claims_when_the_store_is_back(
    store: FakeClaimStore,
) -> None:
    """08 R5: an exception or a wait inside Faust's signal would cost us our membership."""
    store.away = True
    mine = ownership(store)
    mine.assigned([(TOPIC, 0)])
    await until(lambda: mine.problem == "PostgreSQL is away")
    assert not mine.ready.is_set()
    store.away = False
    await asyncio.wait_for(mine.ready.wait(), 5)
    assert mine.problem == ""
    assert sorted(mine.of(TOPIC)) == [0]


async def test_a_newer_assignment_replaces_one_that_was_never_claimed(
    store: FakeClaimStore,
) -> None:
    store.away = True
    mine = ownership(store)
    mine.assigned([(TOPIC, 0)])
    await until(lambda: bool(mine.problem))
    await mine.revoked(0.1)
    store.away = False
    assert sorted(await own(mine, 3)) == [3]
    assert set(store.rows) == {(TOPIC, 3)}


async def test_a_revoke_before_anything_was_assigned_is_harmless(store: FakeClaimStore) -> None:
    mine = ownership(store)
    await mine.revoked(0.1)
    assert not mine.ready.is_set()


async def test_a_revoke_lets_go_of_everything_after_the_loops_have_halted(
    store: FakeClaimStore,
) -> None:
    mine = ownership(store)
    claims = await own(mine, 0)
    seen: list[object] = []

    class Loop:
        waiting_for: str | None = None

        async def halt(self, within_s: float) -> None:
            seen.append(("halt", within_s, mine.of(TOPIC) == claims, mine.ready.is_set()))

    mine.loops.append(Loop())
    mine.on_release.append(lambda: seen.append("released"))
    await mine.revoked(2.0)
    assert seen == [("halt", 2.0, True, False), "released"]
    assert mine.of(TOPIC) == {}


async def test_a_bug_while_claiming_ends_the_process_instead_of_its_work(
    store: FakeClaimStore, leaving: list[int]
) -> None:
    async def broken(_topic: str, _partitions: Collection[int]) -> Mapping[int, int]:
        raise KeyError("bug")

    mine = Ownership(Identity(ID, "settle"), store, log_ends=broken, commits=broken)
    store.rows[TOPIC, 0] = Row(uuid4(), "", 0, 0)
    mine.assigned([(TOPIC, 0)])
    taking = mine._taking
    assert taking is not None
    with pytest.raises(Left):
        await taking
    assert leaving == [EXIT_BUG]


# Positions that nobody knows


async def test_a_partition_without_a_row_but_with_commits_is_refused_and_holds_up_no_other(
    store: FakeClaimStore,
) -> None:
    """08 R4: an empty PostgreSQL must not replay requests to a bank."""
    mine = ownership(store, commits={0: 0, 1: 17})
    refused: list[object] = []
    mine.on_refused.append(lambda which: refused.append(list(which)))
    mine.assigned([(TOPIC, 0), (TOPIC, 1), ("webhooks.ready", 0)])
    await asyncio.wait_for(mine.ready.wait(), 5)
    assert sorted(mine.claims) == [(TOPIC, 0), ("webhooks.ready", 0)]
    assert (TOPIC, 1) not in store.rows
    assert f"{TOPIC}/1 have been worked on before" in mine.problem
    assert refused == [[(TOPIC, 1)]]
    tokens = {key: claim.token for key, claim in mine.claims.items()}
    store.rows[TOPIC, 1] = Row(uuid4(), "rebuild", 17, 17)
    await until(lambda: not mine.problem)
    assert mine.of(TOPIC)[1].position == 17
    assert {key: mine.claims[key].token for key in tokens} == tokens
    assert refused[-1] == []


async def test_a_revoke_ends_the_wait_for_a_refused_partition(store: FakeClaimStore) -> None:
    mine = ownership(store, commits={1: 17})
    mine.assigned([(TOPIC, 0), (TOPIC, 1)])
    await asyncio.wait_for(mine.ready.wait(), 5)
    await mine.revoked(0.1)
    assert mine.claims == {}
    store.rows[TOPIC, 1] = Row(uuid4(), "rebuild", 17, 17)
    assert sorted(await own(mine, 0, 1)) == [0, 1]
    assert mine.problem == ""


async def test_a_refused_partition_is_told_and_taken_once_it_was_rebuilt(
    store: FakeClaimStore,
) -> None:
    mine = ownership(store, commits={1: 17})
    mine.assigned([(TOPIC, 1)])
    await until(lambda: "have been worked on before" in mine.problem)
    await mine._beat_once()
    assert "headgate rebuild" in store.beats[-1][2]
    store.rows[TOPIC, 1] = Row(uuid4(), "rebuild", 17, 17)
    await asyncio.wait_for(mine.ready.wait(), 5)
    assert mine.of(TOPIC)[1].position == 17
    assert mine.problem == ""


async def test_a_new_partition_without_commits_begins_at_zero(store: FakeClaimStore) -> None:
    claim = (await own(ownership(store, commits={0: 0}), 0))[0]
    assert claim.position == 0


async def test_commits_are_not_asked_for_when_every_row_is_there(store: FakeClaimStore) -> None:
    await own(ownership(store), 0)

    async def never(_topic: str, _partitions: Collection[int]) -> Mapping[int, int]:
        raise AssertionError("asked for nothing")

    async def ends(_topic: str, _partitions: Collection[int]) -> Mapping[int, int]:
        return {}

    mine = Ownership(Identity(ID, "settle"), store, log_ends=ends, commits=never)
    assert await own(mine, 0)


async def test_claims_wait_for_kafka_too(store: FakeClaimStore) -> None:
    answers = [LogUnavailable("Kafka is away"), None]

    async def ends(_topic: str, _partitions: Collection[int]) -> Mapping[int, int]:
        if (error := answers.pop(0)) is not None:
            raise error
        return {0: 5}

    mine = Ownership(Identity(ID, "settle"), store, log_ends=ends, commits=ends)
    store.rows[TOPIC, 0] = Row(uuid4(), "", 0, 0)
    assert (await own(mine, 0))[0].log_end == 5


# Incarnations


async def test_a_process_takes_one_incarnation_in_its_life(store: FakeClaimStore) -> None:
    mine = ownership(store)
    await own(mine, 0)
    await mine.revoked(0.1)
    await own(mine, 0)
    await mine._beat_once()
    assert (mine.incarnation, store.registered) == (1, 1)


async def test_heartbeat_and_claim_at_once_do_not_make_two_incarnations(
    store: FakeClaimStore, leaving: list[int]
) -> None:
    """Two numbers for one process would make it think that it was superseded, by itself."""
    mine = ownership(store)
    await asyncio.gather(mine._beat_once(), own(mine, 0), mine._beat_once())
    await mine.leave_if_superseded()
    assert (mine.incarnation, store.registered, leaving) == (1, 1, [])


async def test_a_process_leaves_for_good_when_a_newer_one_has_its_id(
    store: FakeClaimStore, leaving: list[int]
) -> None:
    mine = ownership(store)
    await own(mine, 0)
    await own(ownership(store), 0)
    with pytest.raises(Left):
        await mine.leave_if_superseded()
    assert leaving == [EXIT_SUPERSEDED]


async def test_a_newer_process_under_another_id_is_no_reason_to_leave(
    store: FakeClaimStore, leaving: list[int]
) -> None:
    mine = ownership(store)
    await own(mine, 0)
    await own(ownership(store, instance_id="headgate/settle/1"), 0)
    await mine.leave_if_superseded()
    assert leaving == []


async def test_an_older_incarnation_in_a_restored_store_means_register_again(
    store: FakeClaimStore, leaving: list[int]
) -> None:
    """08 R2: counters repeat after a restore, so an older number accuses nobody."""
    store.incarnations[ID] = 6
    mine = ownership(store)
    await own(mine, 0)
    assert mine.incarnation == 7
    store.incarnations[ID] = 3
    await mine.leave_if_superseded()
    assert (mine.incarnation, store.incarnations[ID], leaving) == (8, 8, [])


async def test_an_assignment_checks_for_a_newer_process_first(
    store: FakeClaimStore, leaving: list[int]
) -> None:
    mine = ownership(store)
    await own(mine, 0)
    token = (await own(ownership(store), 0))[0].token
    mine.assigned([(TOPIC, 0)])
    assert mine._taking is not None
    with pytest.raises(Left):
        await mine._taking
    assert leaving == [EXIT_SUPERSEDED]
    assert store.rows[TOPIC, 0].token == token


async def test_a_lost_claim_starts_afresh(store: FakeClaimStore, leaving: list[int]) -> None:
    mine = ownership(store)
    await own(mine, 0)
    with pytest.raises(Left):
        await mine.lost()
    assert leaving == [EXIT_CLAIM_LOST]


async def test_a_lost_claim_leaves_for_good_when_superseded(
    store: FakeClaimStore, leaving: list[int]
) -> None:
    mine = ownership(store)
    await own(mine, 0)
    await own(ownership(store), 0)
    with pytest.raises(Left):
        await mine.lost()
    assert leaving[0] == EXIT_SUPERSEDED


async def test_a_lost_claim_starts_afresh_also_when_the_store_is_away(
    store: FakeClaimStore, leaving: list[int]
) -> None:
    mine = ownership(store)
    await own(mine, 0)
    store.away = True
    with pytest.raises(Left):
        await mine.lost()
    assert leaving == [EXIT_CLAIM_LOST]


# Heartbeats


async def test_a_heartbeat_says_what_is_owned_and_what_is_wrong(store: FakeClaimStore) -> None:
    mine = ownership(store)
    await mine._beat_once()
    mine.assigned([(TOPIC, 1), (TOPIC, 0)])
    await mine.ready.wait()
    await mine._beat_once()
    assert store.beats == [
        (1, {}, "waiting for partitions"),
        (1, {TOPIC: [0, 1]}, ""),
    ]


async def test_a_heartbeat_notices_the_newer_process(
    store: FakeClaimStore, leaving: list[int]
) -> None:
    mine = ownership(store)
    await own(mine, 0)
    await own(ownership(store), 0)
    with pytest.raises(Left):
        await mine.beat(0.001)
    assert leaving == [EXIT_SUPERSEDED]


async def test_a_heartbeat_outlives_a_store_that_is_away(store: FakeClaimStore) -> None:
    mine = ownership(store)
    store.away = True
    beating = asyncio.create_task(mine.beat(0.001))
    await asyncio.sleep(0.01)
    store.away = False
    await until(lambda: len(store.beats) > 1)
    beating.cancel()


# Saving positions


async def test_positions_are_saved_while_the_claims_stand(store: FakeClaimStore) -> None:
    mine = ownership(store)
    claims = await own(mine, 0)
    claims[0].next_offset = claims[0].published_offset = 9
    await mine.advance(TOPIC, claims)
    assert store.published(0) == 9


async def test_a_position_never_moves_back(store: FakeClaimStore) -> None:
    mine = ownership(store)
    claims = await own(mine, 0)
    store.rows[TOPIC, 0].published_offset = 9
    await mine.advance(TOPIC, claims)
    assert store.published(0) == 9


async def test_saving_fails_when_another_process_took_over(store: FakeClaimStore) -> None:
    mine = ownership(store)
    claims = await own(mine, 0)
    await own(ownership(store, instance_id="headgate/settle/1"), 0)
    claims[0].published_offset = 9
    with pytest.raises(ClaimLost):
        await mine.advance(TOPIC, claims)
    assert store.published(0) == 0


@pytest.mark.parametrize("again", [False, True])
async def test_saving_late_what_was_given_back_is_no_lost_claim(
    store: FakeClaimStore, again: bool
) -> None:
    """A revoke while the statement is on its way: its new owner is no reason to end."""
    mine = ownership(store)
    claims: dict[int, Claim] = await own(mine, 0)
    store.advancing = asyncio.Event()
    saving = asyncio.create_task(mine.advance(TOPIC, claims))
    await asyncio.sleep(0)
    await mine.revoked(0.1)
    await own(ownership(store, instance_id="headgate/settle/1"), 0)
    if again:
        await own(mine, 0)
    store.advancing.set()
    await saving
    assert store.published(0) == 0
