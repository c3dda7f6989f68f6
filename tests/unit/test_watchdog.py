"""The watchdog ends what neither works nor will, and nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from headgate.streams.engine import watchdog
from headgate.streams.engine.watchdog import Observation, Patience, Watchdog, complaint, waiting

HEALTHY = Observation(
    member_id="member",
    assigned=4,
    fetching=4,
    unacknowledged=0,
    acknowledged=10,
    recovering=0,
    waiting_for=None,
)
STUCK = replace(HEALTHY, unacknowledged=3)


def test_an_idle_worker_is_no_reason_to_complain() -> None:
    assert complaint(HEALTHY) is None


def test_a_spare_worker_is_no_reason_to_complain() -> None:
    """More workers than partitions: the group has told this one that nothing is its own."""
    assert complaint(replace(HEALTHY, assigned=0, fetching=0)) is None


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (replace(HEALTHY, member_id=""), "is no member of its consumer group"),
        (replace(HEALTHY, assigned=None), "was not told which partitions are its own"),
        (STUCK, "has 3 records in hand and acknowledges none"),
        (replace(HEALTHY, fetching=0), "owns 4 partitions and reads none of them"),
    ],
)
def test_what_keeps_a_worker_from_working_is_said(seen: Observation, said: str) -> None:
    assert complaint(seen) == said


def test_a_dependency_that_is_away_is_never_the_workers_fault() -> None:
    """00 A4: no process exits because a dependency is away."""
    for seen in (STUCK, replace(HEALTHY, member_id="")):
        assert complaint(replace(seen, waiting_for="PostgreSQL")) is None


def test_a_complaint_must_stand_for_the_limit() -> None:
    patience = Patience(30)
    assert patience.judge(STUCK, 100) is None
    assert patience.judge(STUCK, 129) is None
    assert patience.judge(STUCK, 130) == "has 3 records in hand and acknowledges none for 30 s"


@pytest.mark.parametrize("moved", [{"acknowledged": 11}, {"recovering": 5}, {"member_id": "new"}])
def test_progress_starts_the_count_anew(moved: dict[str, Any]) -> None:
    patience = Patience(30)
    assert patience.judge(STUCK, 100) is None
    assert patience.judge(replace(STUCK, **moved), 120) is None
    assert patience.judge(replace(STUCK, **moved), 149) is None
    assert patience.judge(replace(STUCK, **moved), 150) is not None


def test_a_healthy_moment_starts_the_count_anew() -> None:
    patience = Patience(30)
    assert patience.judge(STUCK, 100) is None
    assert patience.judge(HEALTHY, 110) is None
    assert not patience.troubled
    assert patience.judge(STUCK, 131) is None
    assert patience.troubled


def test_a_forgiven_stall_counts_from_the_next_look() -> None:
    patience = Patience(30)
    assert patience.judge(STUCK, 100) is None
    patience.forgive()
    assert patience.judge(STUCK, 130) is None
    assert patience.judge(STUCK, 159) is None
    assert patience.judge(STUCK, 160) is not None


class Ended(Exception):
    """Instead of the end of the process."""


async def test_a_stall_while_kafka_does_not_answer_is_put_down_to_kafka(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """00 A4: no process exits because a dependency is away."""
    replies = iter([True, False, False, False, True, True, True])
    asked: list[bool] = []

    async def answers(_: Any) -> bool:
        asked.append(next(replies))
        return asked[-1]

    def end(verdict: str, _: Observation, _tasks: Any) -> NoReturn:
        raise Ended(verdict)

    monkeypatch.setattr(watchdog, "answers", answers)
    monkeypatch.setattr(watchdog, "end", end)
    monkeypatch.setattr(watchdog, "LOOK_INTERVAL_S", 0.01)
    dog = Watchdog(lambda: STUCK, 0, "127.0.0.1:1")
    monkeypatch.setattr(dog._patience, "_limit_s", 0.015)
    with pytest.raises(Ended):
        await asyncio.wait_for(Watchdog._watch.fun(dog), 5)
    assert asked[:4] == [True, False, False, False]
    assert asked[-1]


async def test_a_stalled_worker_says_where_each_task_waits() -> None:
    never = asyncio.Event()

    async def inner() -> None:
        await never.wait()

    async def outer() -> None:
        await inner()

    task = asyncio.create_task(outer())
    await asyncio.sleep(0)
    places = waiting(task).split(" > ")
    task.cancel()
    assert [place.rpartition(":")[0].rpartition(".")[2] for place in places] == [
        "outer",
        "inner",
        "wait",
    ]
