"""The hub: one rendering for all who look, bounded queues, coming back, and what is away."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Hashable
from dataclasses import dataclass, field

import pytest

from headgate.dashboard import hub as hubs
from headgate.dashboard import region as regions
from headgate.dashboard.fragments import Fragment, update, whole
from headgate.dashboard.hub import Hub
from headgate.streams.errors import StoreUnavailable

WITHIN_S = 5.0


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ticks of milliseconds."""
    monkeypatch.setattr(hubs, "TICK_S", 0.002)
    monkeypatch.setattr(hubs, "UNMOVED_S", 0.02)
    monkeypatch.setattr(hubs, "REST", 0)


def row(name: str, text: str = "") -> Fragment:
    return Fragment(name, f'<tr id="{name}" data-k="{name}"><td>{text}</td></tr>', "rows")


@dataclass
class Screen:
    """Rows that a test changes, and how often they were rendered."""

    rows: list[Fragment] = field(default_factory=list)
    renderings: int = 0
    away: str = ""

    async def render(self) -> list[Fragment]:
        self.renderings += 1
        if self.away:
            raise StoreUnavailable(self.away)
        return list(self.rows)


class Browser:
    """One connection, read in the background."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self.events: list[str] = []
        self.ended = False
        self._grown = asyncio.Condition()
        self.task = asyncio.create_task(self._read(stream))

    async def _read(self, stream: AsyncIterator[bytes]) -> None:
        async for item in stream:
            async with self._grown:
                self.events.append(item.decode())
                self._grown.notify_all()
        async with self._grown:
            self.ended = True
            self._grown.notify_all()

    async def until(self, text: str, after: int = 0) -> str:
        """The first event after the first `after` ones that holds the text."""

        def found() -> list[str]:
            return [event for event in self.events[after:] if text in event]

        async with self._grown, asyncio.timeout(WITHIN_S):
            await self._grown.wait_for(found)
        return found()[0]

    async def until_ended(self) -> None:
        async with self._grown, asyncio.timeout(WITHIN_S):
            await self._grown.wait_for(lambda: self.ended)

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    @property
    def last_id(self) -> str:
        """What a browser sends when it comes back."""
        ids: list[str] = re.findall(r"^id: (.*)$", "\n".join(self.events), re.MULTILINE)
        return ids[-1]


async def comes(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110  what it looks at has no event
            await asyncio.sleep(0.001)


async def test_who_comes_gets_the_region_and_then_what_changes() -> None:
    hub, screen = Hub(), Screen([row("a", "1")])
    browser = Browser(hub.follow("k", screen.render))
    first = await browser.until("innerMorph")
    assert '<tr id="a" data-k="a"><td>1</td></tr>' in first
    screen.rows = [row("b", "new"), row("a", "2")]
    change = await browser.until("new")
    assert "hx-upsert" in change
    assert '<hx-partial hx-target="#a" hx-swap="outerMorph">' in change
    screen.rows = [row("b", "new")]
    assert 'hx-target="#a" hx-swap="delete"' in await browser.until("delete")
    await hub.close()


async def test_nothing_is_told_when_nothing_changed() -> None:
    hub, screen = Hub(), Screen([row("a")])
    browser = Browser(hub.follow("k", screen.render))
    await browser.until("innerMorph")
    before = list(browser.events)
    seen = screen.renderings
    await comes(lambda: screen.renderings > seen + 5)
    assert browser.events == before
    await hub.close()


async def test_a_hundred_who_look_cost_one_rendering_and_other_keys_another() -> None:
    hub, screen, other = Hub(), Screen([row("a")]), Screen([row("z")])
    crowd = [Browser(hub.follow("k", screen.render)) for _ in range(100)]
    await asyncio.gather(*(one.until("innerMorph") for one in crowd))
    assert screen.renderings < 20
    stranger = Browser(hub.follow("other", other.render))
    assert 'id="z"' in await stranger.until("innerMorph")
    assert not any('id="z"' in event for one in crowd for event in one.events)
    await hub.close()


async def test_nothing_is_rendered_while_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "LINGER_S", 0)
    hub, screen = Hub(), Screen([row("a")])
    browser = Browser(hub.follow("k", screen.render))
    await browser.until("innerMorph")
    await browser.close()
    await comes(lambda: hub._watch is None)
    count = screen.renderings
    await asyncio.sleep(0.05)
    assert screen.renderings == count
    again = Browser(hub.follow("k", screen.render))
    await again.until("innerMorph")
    await hub.close()


async def test_unmoved_positions_let_a_region_rest_and_a_move_wakes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hubs, "UNMOVED_S", 3600)
    position = 1

    async def look() -> Hashable:
        return position

    hub, screen = Hub(look), Screen([row("a")])
    browser = Browser(hub.follow("k", screen.render))
    await browser.until("innerMorph")
    await asyncio.sleep(0.05)
    count = screen.renderings
    screen.rows = [row("b"), row("a")]
    await asyncio.sleep(0.05)
    assert screen.renderings == count
    position = 2
    await browser.until('id="b"')
    await hub.close()


async def test_who_comes_back_gets_only_what_was_missed() -> None:
    hub, screen = Hub(), Screen([row("a")])
    stays = Browser(hub.follow("k", screen.render))
    leaves = Browser(hub.follow("k", screen.render))
    await leaves.until("innerMorph")
    await leaves.close()
    screen.rows = [row("b"), row("a")]
    await stays.until('id="b"')
    back = Browser(hub.follow("k", screen.render, leaves.last_id))
    await back.until('id="b"')
    assert not any("innerMorph" in event for event in back.events)
    assert back.last_id == stays.last_id
    await hub.close()


@pytest.mark.parametrize("last_id", ["", "other.1", "nonsense", ".", "x.-1", "1.1.1"])
async def test_who_comes_back_with_another_id_starts_over(last_id: str) -> None:
    hub, screen = Hub(), Screen([row("a")])
    first = Browser(hub.follow("k", screen.render))
    await first.until("innerMorph")
    back = Browser(hub.follow("k", screen.render, last_id, ["rows", "more"]))
    await back.until("innerMorph")
    await hub.close()


async def test_who_was_away_too_long_or_is_ahead_starts_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(regions, "HISTORY_MAX", 2)
    hub, screen = Hub(), Screen([row("a", "0")])
    stays = Browser(hub.follow("k", screen.render))
    await stays.until("innerMorph")
    old = stays.last_id
    for number in range(1, 6):
        screen.rows = [row("a", f"n{number}")]
        await stays.until(f"n{number}")
    name = old.partition(".")[0]
    for last_id in (old, f"{name}.99", f"{name}.{'9' * 5000}"):
        back = Browser(hub.follow("k", screen.render, last_id))
        assert "n5" in await back.until("innerMorph")
    await hub.close()


async def test_a_slow_viewer_starts_over_and_makes_nobody_wait() -> None:
    hub, screen = Hub(), Screen([row("a", "0")])
    slow = aiter(hub.follow("k", screen.render))
    assert b"hello" in await anext(slow)
    quick = Browser(hub.follow("k", screen.render))
    assert b"innerMorph" in await anext(slow)
    assert b"event: fresh" in await anext(slow)
    for number in range(1, 3 * regions.QUEUE_MAX):
        screen.rows = [row("a", f"n{number}.")]
        await quick.until(f"n{number}.")
    caught_up = await anext(slow)
    assert b"innerMorph" in caught_up
    assert f"n{number}.".encode() in caught_up
    await hub.close()


async def test_what_is_away_is_shown_as_old_and_comes_back_by_itself() -> None:
    hub, screen = Hub(), Screen([row("a")])
    browser = Browser(hub.follow("k", screen.render))
    await browser.until("innerMorph")
    screen.away = "PostgreSQL is away"
    told = await browser.until("event: stale")
    assert re.search(r"^data: \d\d:\d\d:\d\d$", told, re.MULTILINE)
    late = Browser(hub.follow("k", screen.render))
    await late.until("event: stale")
    assert any("innerMorph" in event for event in late.events)
    screen.away, screen.rows = "", [row("b"), row("a")]
    await browser.until("event: fresh")
    await browser.until('id="b"')
    await late.until("event: fresh")
    assert sum("event: stale" in event for event in browser.events) == 1
    await hub.close()


async def test_who_came_while_nothing_was_shown_yet_hears_that_it_is_live() -> None:
    hub, screen = Hub(), Screen([row("a")], away="PostgreSQL is away")
    browser = Browser(hub.follow("k", screen.render))
    await browser.until("event: stale")
    screen.away = ""
    await browser.until("event: fresh")
    assert "innerMorph" in "".join(browser.events)
    await hub.close()


async def test_a_slow_viewer_hears_that_the_region_is_not_old_any_more() -> None:
    hub, screen = Hub(), Screen([row("a", "0")], away="PostgreSQL is away")
    quick, slow = Browser(hub.follow("k", screen.render)), aiter(hub.follow("k", screen.render))
    assert b"hello" in await anext(slow)
    assert b"event: stale" in await anext(slow)
    screen.away = ""
    for number in range(1, 3 * regions.QUEUE_MAX):
        screen.rows = [row("a", f"n{number}.")]
        await quick.until(f"n{number}.")
    assert b"innerMorph" in await anext(slow)
    assert b"event: fresh" in await anext(slow)
    await hub.close()


async def test_a_fault_in_one_screen_leaves_the_others_alone() -> None:
    async def broken() -> list[Fragment]:
        raise ZeroDivisionError

    hub, screen = Hub(), Screen([row("a")])
    bad = Browser(hub.follow("bad", broken))
    good = Browser(hub.follow("k", screen.render))
    await bad.until("event: stale")
    await good.until("innerMorph")
    await hub.close()


async def test_positions_that_cannot_be_read_end_nothing() -> None:
    async def away() -> Hashable:
        raise StoreUnavailable("away")

    hub, screen = Hub(away), Screen([row("a")])
    browser = Browser(hub.follow("k", screen.render))
    await browser.until("innerMorph")
    screen.rows = [row("b"), row("a")]
    await browser.until('id="b"')
    await hub.close()


async def test_everybody_is_let_go_when_the_edge_stops() -> None:
    hub, screen = Hub(), Screen([row("a")])
    crowd = [Browser(hub.follow("k", screen.render)) for _ in range(3)]
    await asyncio.gather(*(one.until("innerMorph") for one in crowd))
    await hub.close()
    await asyncio.gather(*(one.until_ended() for one in crowd))
    late = Browser(hub.follow("k", screen.render))
    await late.until_ended()
    assert late.events == []


async def test_a_connection_ends_after_its_life_and_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(regions, "LIFE_S", 0.2)
    hub, screen = Hub(), Screen([row("a")])
    first = Browser(hub.follow("k", screen.render))
    await first.until("innerMorph")
    await first.until_ended()
    back = Browser(hub.follow("k", screen.render, first.last_id))
    screen.rows = [row("b"), row("a")]
    await back.until('id="b"')
    assert not any("innerMorph" in event for event in back.events)
    await hub.close()


async def test_a_quiet_connection_shows_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regions, "BEAT_S", 0.01)
    hub, screen = Hub(), Screen([row("a")])
    browser = Browser(hub.follow("k", screen.render))
    await browser.until(": still here")
    await hub.close()


async def test_there_is_a_limit_to_viewers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "VIEWERS_MAX", 2)
    hub, screen = Hub(), Screen([row("a")])
    crowd = [Browser(hub.follow(key, screen.render)) for key in "xy"]
    await comes(lambda: hub.is_full)
    await crowd[0].close()
    await comes(lambda: not hub.is_full)
    await hub.close()


def test_starting_over_empties_bodies_that_have_no_rows() -> None:
    text = whole({"a": row("a"), "c": Fragment("c", "C")}, ["rows", "more"])
    assert text == (
        f'<hx-partial hx-target="#rows" hx-swap="innerMorph">{row("a").html}</hx-partial>'
        '<hx-partial hx-target="#more" hx-swap="innerMorph"></hx-partial>'
        '<hx-partial hx-target="#c" hx-swap="outerMorph">C</hx-partial>'
    )


def test_an_id_of_any_letters_is_found() -> None:
    odd = Fragment("payments.commands/3'\"", "x")
    assert 'hx-target="[id=&#x27;payments.commands/3\\&#x27;&quot;&#x27;]"' in update(
        {}, {odd.id: odd}
    )


@pytest.mark.parametrize(
    ("took_s", "rests_s"),
    [(0.01, 0.24), (0.05, 0.2), (0.1, 0.4), (0.2, 0.5), (0.5, 0.5), (2.0, 2.0)],
)
def test_a_dear_region_comes_more_seldom_but_soon_enough(
    monkeypatch: pytest.MonkeyPatch, took_s: float, rests_s: float
) -> None:
    monkeypatch.setattr(hubs, "TICK_S", 0.25)
    monkeypatch.setattr(hubs, "REST", 4)
    assert hubs.rest_s(took_s) == pytest.approx(rests_s)
