"""What the dashboard answers to forms that trickle, values that cannot be, and viewers who take too
much or do not read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Scope

from headgate.dashboard import forms, hub, streamed
from headgate.dashboard.app import mounted
from headgate.dashboard.fragments import Fragment
from headgate.dashboard.live import live
from headgate.dashboard.place import Place
from headgate.dashboard.screens import Path
from headgate.dashboard.streamed import ABORT, Streamed
from headgate.dashboard.viewer import Viewer
from headgate.http import exchange
from headgate.tables.postgres import RowRefused
from tests.unit.dashboard_place import OLGA, a_place

WITHIN_S = 5.0


async def olga(request: Request) -> Viewer:
    del request
    return OLGA


def asked(method: str, path: str) -> Scope:
    return {
        "type": "http", "method": method, "scheme": "http", "path": path, "query_string": b"",
        "headers": [(b"host", b"h")], "http_version": "1.1",
    }  # fmt: skip


async def stays() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


@dataclass
class Client:
    """A connection to one route: what it was sent, until it stops reading."""

    reads: int = 100
    sent: list[Message] = field(default_factory=list)
    cut: bool = False
    tells: Callable[[], Awaitable[Message]] = stays

    async def send(self, message: Message) -> None:
        if len(self.sent) >= self.reads:
            await asyncio.Event().wait()
        self.sent.append(message)

    def abort(self) -> None:
        self.cut = True

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"]) if self.sent else 0

    @property
    def body(self) -> str:
        return b"".join(one.get("body", b"") for one in self.sent).decode()

    async def ask(self, place: Place, method: str, path: str) -> None:
        [route] = mounted(place, "", olga, lambda _: Response(status_code=401))
        await route.handle({**asked(method, path), ABORT: self.abort}, self.tells, self.send)


async def region(place: Place, request: Request, viewer: Viewer) -> Response:
    """A live region."""
    del viewer

    async def render() -> Sequence[Fragment]:
        return [Fragment("a", '<p id="a">here</p>')]

    return live(place, ("a",), render, request)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():  # noqa: ASYNC110  what it looks at has no event
            await asyncio.sleep(0.001)


async def test_a_form_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def trickle() -> Message:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"a", "more_body": True}

    async def never(place: Place, request: Request, viewer: Viewer) -> Response:
        raise AssertionError

    monkeypatch.setattr(forms, "FORM_WAIT_S", 0.05)
    client = Client(tells=trickle)
    async with a_place(paths=[Path("/x", post=never)]) as place, asyncio.timeout(WITHIN_S):
        await client.ask(place, "POST", "/x")
    assert client.status == 408
    assert "did not arrive within" in client.body
    assert (b"connection", b"close") in client.sent[0]["headers"]


async def test_a_value_that_postgresql_never_takes_is_the_askers_fault() -> None:
    async def refused(place: Place, request: Request, viewer: Viewer) -> Response:
        raise RowRefused("PostgreSQL refuses a row: CharacterNotInRepertoireError (22021)")

    client = Client()
    async with a_place(paths=[Path("/x", get=refused)]) as place:
        await client.ask(place, "GET", "/x")
    assert client.status == 400
    assert "zero character" in client.body
    assert "Try again" not in client.body


async def test_one_person_has_so_many_live_places_and_others_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub, "PER_PERSON_MAX", 2)
    async with a_place(paths=[Path("/x", get=region)]) as place:
        crowd = [Client(), Client()]
        tasks = [asyncio.create_task(one.ask(place, "GET", "/x")) for one in crowd]
        await until(lambda: all("here" in one.body for one in crowd))
        late = Client()
        await late.ask(place, "GET", "/x")
        assert late.status == 503
        assert (b"retry-after", b"5") in late.sent[0]["headers"]
        assert not place.hub.has_enough("opr_2")
        tasks[0].cancel()
        await until(lambda: not place.hub.has_enough(OLGA.id))
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await until(lambda: not place.hub._places)


async def test_who_does_not_read_is_cut_off_and_loses_the_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streamed, "SEND_WAIT_S", 0.02)
    monkeypatch.setattr(streamed, "CUT_WAIT_S", 0.01)
    client = Client(reads=2)
    async with a_place(paths=[Path("/x", get=region)]) as place, asyncio.timeout(WITHIN_S):
        await client.ask(place, "GET", "/x")
        assert client.cut
        assert not place.hub._places
        assert not any(one.viewers for one in place.hub._regions.values())


async def test_a_stream_that_fails_by_time_is_not_taken_for_somebody_who_does_not_read() -> None:
    async def late() -> AsyncIterator[bytes]:
        yield b"a"
        raise TimeoutError

    client = Client()
    with pytest.raises(TimeoutError):
        await Streamed(late()).stream_response(client.send)
    assert not client.cut


async def test_a_damaged_key_of_a_form_asks_nothing_of_the_edge() -> None:
    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError

    async with a_place(never) as place:
        answered = await place.rest.ask("token", "POST", "/api_keys", {}, "k\u00e9y")
    assert answered.status == 400


def test_a_connection_is_cut_as_the_edges_protocol_lets_it_be() -> None:
    assert ABORT == exchange.ABORT
