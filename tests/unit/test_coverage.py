"""Partitions that nobody owns are noticed, and a new assignment is asked for."""

from __future__ import annotations

from headgate.streams.engine.coverage import (
    LOOK_INTERVAL_MAX_S,
    LOOK_INTERVAL_S,
    Assignment,
    Coverage,
    unowned,
)

WANTED: Assignment = {"facts": range(2), "ready": range(2)}
ALL: Assignment = {"facts": (0, 1), "ready": (0, 1)}
BLIND: Assignment = {"ready": (0, 1)}


class Group:
    """A group that shows one assignment after the other, and counts what it is asked for."""

    def __init__(self, *looks: list[Assignment] | None) -> None:
        self._looks = list(looks)
        self.asked = 0
        self.coverage = Coverage(lambda: WANTED, self._look, self._reassign)

    async def _look(self) -> list[Assignment] | None:
        return self._looks.pop(0)

    async def _reassign(self) -> None:
        self.asked += 1

    async def look_at_all(self) -> int:
        while self._looks:
            await self.coverage.look()
        return self.asked


def test_what_no_member_owns_is_unowned() -> None:
    assert unowned(WANTED, [{"facts": (0,)}, {"ready": (1,), "other": (7,)}]) == [
        ("facts", 1),
        ("ready", 0),
    ]
    assert unowned(WANTED, [ALL, {}]) == []


async def test_a_gap_that_two_looks_see_is_closed_by_a_new_assignment() -> None:
    assert await Group([BLIND], [BLIND]).look_at_all() == 1


async def test_a_gap_that_closes_by_itself_is_no_reason() -> None:
    assert await Group([BLIND], [ALL], [BLIND], [ALL]).look_at_all() == 0


async def test_a_group_that_rebalances_or_is_not_described_is_no_reason() -> None:
    assert await Group([BLIND], None, None).look_at_all() == 0


async def test_a_gap_that_stays_is_asked_about_less_and_less_often() -> None:
    """A topic that somebody deleted must not keep the group rebalancing."""
    group = Group(*[[BLIND]] * 40)
    assert await group.look_at_all() == 20
    assert group.coverage.pause_s == LOOK_INTERVAL_MAX_S


async def test_after_a_gap_is_closed_looks_are_frequent_again() -> None:
    group = Group([BLIND], [BLIND], [ALL])
    await group.look_at_all()
    assert group.coverage.pause_s == LOOK_INTERVAL_S
