"""The gate: no fault reaches a client in the raw, and limits hold."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response

from headgate.http.exchange import Exchange
from headgate.http.routing import at, json_answer, nowhere
from headgate.streams.errors import CacheUnavailable, LogUnavailable, StoreUnavailable
from headgate.streams.settings import Settings
from tests.unit.gates import gate_of

Handler = Callable[[Exchange], Awaitable[Response]]


def client(handler: Handler, path: str = "/thing", **settings: Any) -> httpx.AsyncClient:
    """A client of an app with one route behind the gate."""
    gate = gate_of(Settings(**settings))
    app = Starlette(routes=[at(path, POST=handler)], middleware=[gate])
    app.router.default = nowhere
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://edge")


async def test_a_fault_is_a_500_in_json_without_its_text() -> None:
    async def faulty(exchange: Exchange) -> Response:
        raise RuntimeError("secret detail of " + exchange.method)

    async with client(faulty) as to:
        answer = await to.post("/thing")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.json()["error"]["code"] == "INTERNAL_SERVER_ERROR"
    assert "secret detail" not in answer.text
    assert answer.headers["Request-Id"] == answer.json()["request_id"]


async def test_a_fault_on_a_route_of_the_seed_keeps_the_seeds_string() -> None:
    """08 R19."""

    async def faulty(exchange: Exchange) -> Response:
        raise RuntimeError(exchange.method)

    async with client(faulty, "/api/v1/payments") as to:
        answer = await to.post("/api/v1/payments")
    assert answer.json()["error"] == "Internal Server Error"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LogUnavailable("x"), "log_unavailable"),
        (StoreUnavailable("x"), "store_unavailable"),
        (CacheUnavailable("x"), "unavailable"),
    ],
)
async def test_a_dependency_away_is_503_with_retry_after(error: Exception, code: str) -> None:
    async def away(exchange: Exchange) -> Response:
        del exchange
        raise error

    async with client(away, retry_after_s=7) as to:
        answer = await to.post("/thing")
    assert (answer.status_code, answer.json()["code"]) == (503, code)
    assert (answer.headers["Retry-After"], answer.headers["Should-Retry"]) == ("7", "true")
    assert answer.json()["retryable"] is True


async def test_a_body_up_to_the_limit_passes_and_one_byte_more_does_not() -> None:
    async def echo(exchange: Exchange) -> Response:
        return json_answer({"bytes": len(exchange.body)})

    async def endless() -> Any:
        while True:
            yield b"x" * 60

    async with client(echo, body_bytes_max=100) as to:
        assert (await to.post("/thing", content=b"x" * 100)).json() == {"bytes": 100}
        assert (await to.post("/thing")).json() == {"bytes": 0}
        for content in (b"x" * 101, endless()):
            refused = await to.post("/thing", content=content)
            assert (refused.status_code, refused.json()["code"]) == (413, "payload_too_large")
            assert refused.headers["Connection"] == "close"


async def test_beyond_the_requests_that_it_works_on_it_is_overloaded() -> None:
    held = asyncio.Event()

    async def slow(exchange: Exchange) -> Response:
        del exchange
        await held.wait()
        return json_answer({})

    async with client(slow, requests_in_flight_max=3) as to:
        asked = [asyncio.create_task(to.post("/thing")) for _ in range(4)]
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        answer = done.pop().result()
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert answer.headers["Retry-After"]
        held.set()
        statuses = sorted(answer.status_code for answer in await asyncio.gather(*asked))
        assert statuses == [200, 200, 200, 503]
