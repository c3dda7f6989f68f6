"""Any interleaving of timers, repeats, commands, crashes and late projections (04 §11)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.deliver_setting import ENDPOINT
from tests.unit.deliveries_model import World, world

WHICH = st.integers(0, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("want"), WHICH),
        st.tuples(st.just("fire"), WHICH),
        st.tuples(st.just("fire"), WHICH),
        st.tuples(st.just("fire, and again later"), WHICH),
        st.tuples(st.just("die while telling"), st.integers(0, 7)),
        st.tuples(st.just("retry"), WHICH),
        st.tuples(st.just("cancel"), WHICH),
        st.tuples(st.just("project"), st.integers(1, 6)),
        st.tuples(st.just("release"), WHICH),
        st.tuples(st.just("crash"), WHICH),
        st.tuples(st.just("fail"), st.integers(1, 4)),
        st.tuples(st.just("switch"), st.integers(0, 1)),
    ),
    max_size=40,
).map(lambda steps: [("want", 0), ("fail", 1), ("fire", 0), *steps])
PATIENT = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


async def step(of: World, what: str, number: int, wanted: set[int]) -> None:
    steps: dict[str, Callable[[], object]] = {
        "fire": lambda: of.fire(number),
        "fire, and again later": lambda: of.fire(number, keep=True),
        "die while telling": lambda: of.die_while_telling(number // 4, number),
        "project": lambda: of.project(number),
        "release": of.let_go,
        "crash": of.restart,
        "fail": lambda: of.answers.extend([500] * number),
        "switch": lambda: of.switch(on=bool(number)),
    }
    if number in wanted:
        steps |= {"retry": lambda: of.retry(number), "cancel": lambda: of.cancel(number)}
    elif what == "want":
        wanted.add(number)
        of.want(number)
    done = steps.get(what, lambda: None)()
    if isinstance(done, Awaitable):
        await done


async def play(of: World, steps: list[tuple[str, int]]) -> None:
    wanted: set[int] = set()
    for what, number in steps:
        await step(of, what, number, wanted)
    of.switch(on=True)
    assert await of.come_to_rest()
    for number in wanted:
        row = of.table.rows[f"dlv_{number}"]
        assert row.status in ("success", "failed", "canceled"), "nothing is left lying"
        scheduled = {made.attempt for made in row.attempts.values() if not made.manual}
        assert scheduled <= set(range(1, 6)), "the schedule has five attempts"
        tokens = [made.token for made in row.attempts.values() if not (made.manual or made.probe)]
        assert len(tokens) == len(set(tokens)), "each attempt of the schedule counts once"
    assert of.table.held == {}
    for posting in of.postings:
        if not posting.wanted.manual:
            assert not posting.commanded, "cancel wins at once where it was handled"
            if posting.wanted.attempt > 1:
                assert not posting.projected_over, "a stale timer does not fire"


@PATIENT
@given(STEPS)
def test_no_stale_timer_fires_nothing_counts_twice_and_cancel_wins_04_11(
    steps: list[tuple[str, int]],
) -> None:
    asyncio.run(play(world(), steps))


@PATIENT
@given(STEPS)
def test_in_order_the_same_holds_and_nobody_overtakes_08_r32(
    steps: list[tuple[str, int]],
) -> None:
    of = world(fifo=True)
    asyncio.run(play(of, steps))
    nobody_overtakes(of)


def nobody_overtakes(of: World) -> None:
    """From the first time that one is posted until it is over, no later one is posted."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for place, posting in enumerate(of.postings):
        if not posting.wanted.manual:
            first.setdefault(posting.wanted.delivery_id, place)
            last[posting.wanted.delivery_id] = place
    spans = sorted((first[one], last[one]) for one in first)
    assert all(end < begin for (_, end), (begin, _) in itertools.pairwise(spans))


def test_the_model_posts_at_all() -> None:
    of = world()
    asyncio.run(play(of, [("want", 1), ("fail", 1), ("fire", 0), ("cancel", 1), ("want", 2)]))
    assert [of.table.rows[one].status for one in ("dlv_1", "dlv_2")] == ["canceled", "success"]
    assert ENDPOINT.id in {posting.wanted.endpoint_id for posting in of.postings}
