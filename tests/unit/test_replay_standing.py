"""How long a verdict waits: until it is enough, or until nothing moves any more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from headgate.replay import standing
from headgate.replay.standing import (
    Enough,
    Look,
    Standing,
    Stands,
    come_to_rest,
    never_decided,
    stood,
)
from headgate.streams.errors import StoreUnavailable
from headgate.tables.postgres import Postgres
from tests.unit.replay_setting import Records, create


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 100.0

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    """One that stands still."""
    return Clock()


async def rest(
    clock: Clock, look: Look[Standing], enough: Enough[Standing], within_s: float
) -> Standing | None:
    """Come to rest by this clock."""
    return await come_to_rest(look, enough, within_s, clock=lambda: clock.now_s, pause=clock.sleep)


def stored(count: int) -> Standing:
    return Standing({"captured": count}, count)


class Looks:
    """What is seen, one look after the other; the last one for ever."""

    def __init__(self, *seen: Standing | None) -> None:
        self._seen: Iterator[Standing | None] = iter(seen)
        self._last: Standing | None = None
        self.count = 0

    async def look(self) -> Standing:
        self.count += 1
        self._last = next(self._seen, self._last)
        if self._last is None:
            raise StoreUnavailable("away")
        return self._last


async def test_it_waits_until_it_is_enough(clock: Clock) -> None:
    looks = Looks(stored(1), stored(2), stored(3), stored(4))

    async def enough(now: Standing) -> bool:
        return now.stored == 3

    assert await rest(clock, looks.look, enough, 60) == stored(3)
    assert looks.count == 3
    assert clock.now_s == 100 + 2 * standing.LOOK_EVERY_S


async def never(_now: Standing) -> bool:
    return False


async def test_it_waits_as_long_as_something_moves_and_a_while_more(clock: Clock) -> None:
    looks = Looks(*(stored(number) for number in range(1, 101)))
    assert await rest(clock, looks.look, never, 10) == stored(100)
    moved_s = 99 * standing.LOOK_EVERY_S
    assert clock.now_s == pytest.approx(100 + moved_s + 10, abs=2 * standing.LOOK_EVERY_S)


async def test_it_does_not_wait_for_ever_though_something_moves(clock: Clock) -> None:
    numbers = iter(range(1_000_000))

    async def look() -> Standing:
        return stored(next(numbers))

    await rest(clock, look, never, 10)
    assert clock.now_s <= 100 + standing.SETTLE_S_MAX + standing.LOOK_EVERY_S


async def test_stores_that_are_away_for_a_moment_do_not_end_it(clock: Clock) -> None:
    looks = Looks(stored(1), None, None, stored(2))

    async def enough(now: Standing) -> bool:
        return now.stored == 2

    assert await rest(clock, looks.look, enough, 60) == stored(2)
    assert await rest(clock, Looks(None).look, never, 5) is None
    assert clock.now_s > 105


async def test_a_look_that_takes_long_is_followed_by_a_longer_pause(clock: Clock) -> None:
    async def look() -> Standing:
        clock.now_s += 2
        return stored(1)

    await rest(clock, look, never, 30)
    looks, pause_s = 3, standing.LOOK_SHARE * 2
    assert clock.now_s == 100 + looks * 2 + (looks - 1) * pause_s


class FakePostgres:
    """Counts pages."""

    def __init__(self) -> None:
        self.pages: list[int] = []

    async def fetch_row(self, name: str, ids: list[str]) -> dict[str, int]:
        assert name == "verdict_stands"
        self.pages.append(len(ids))
        return {each: len(ids) for each in Stands.__dataclass_fields__}


async def test_many_payments_are_summed_page_by_page() -> None:
    postgres = FakePostgres()
    ids = [f"pay_{number}" for number in range(2500)]
    found = await stood(cast(Postgres, postgres), ids)
    assert postgres.pages == [1000, 1000, 500]
    assert found.sums == Stands(*[2500] * 7)
    assert found.payment_ids == frozenset(ids)


class Knowing:
    """Has decided these commands."""

    def __init__(self, *command_ids: str) -> None:
        self._known = set(command_ids)
        self.pages: list[int] = []

    async def fetch_row(self, name: str, ids: list[str]) -> dict[str, int]:
        assert name == "commands_decided"
        self.pages.append(len(ids))
        return {"decided": len(self._known & set(ids))}


async def test_commands_that_were_never_decided_here_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(standing, "IDS_PAGE", 2)
    commands = [create(number) for number in range(5)]
    postgres = Knowing(*(each.command_id for each in commands[1:]))
    source = Records([*commands, commands[0]])
    assert await never_decided(cast(Postgres, postgres), source) == 2
    assert postgres.pages == [2, 2, 2, 0]
    assert await never_decided(cast(Postgres, postgres), Records(commands[1:])) == 0
