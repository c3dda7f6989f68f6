"""One key, one payment: however often it is sent, to whichever edge, whatever Redis forgot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from headgate.embedded.stack import Stack
from tests.system.harness_edge import Edge, forget, outbox, running_edge, settling, with_demo
from tests.system.harness_place import Place, opened, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


async def test_fifty_requests_with_one_key_make_one_payment(stack: Stack, tmp_path: Path) -> None:
    """Two edges take them at once; every answer has the same bytes (01 §7.4)."""
    async with opened(stack) as place, _two_edges(await with_demo(place), tmp_path) as edges:
        answers = await asyncio.gather(*(edges[n % 2].create("one-key") for n in range(50)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        replayed = [answer.headers.get("Idempotent-Replayed") for answer in answers]
        assert replayed.count("true") == 49
        assert {answer.headers["Idempotency-Key"] for answer in answers} == {"one-key"}
        positions = {answer.headers["Log-Position"] for answer in answers}
        assert len(positions) == 1
        assert positions.pop().startswith(f"{place.settings.prefix}payments.commands/")
        quoted = await edges[0].create('"one-key"')
        assert quoted.content == answers[0].content
        other = await edges[1].create("one-key", amount=501)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        await until(lambda: _empty(place), 5, "an empty outbox")


async def test_a_drawn_key_comes_back_and_may_be_repeated(stack: Stack, tmp_path: Path) -> None:
    """08 R15."""
    async with opened(stack) as place, running_edge(await with_demo(place), tmp_path) as edge:
        first = await edge.create()
        again = await edge.create(first.headers["Idempotency-Key"])
        assert again.content == first.content
        assert again.headers["Idempotent-Replayed"] == "true"
        assert (await edge.create()).json()["id"] != first.json()["id"]


async def test_a_redis_that_forgot_cannot_make_a_second_payment(
    stack: Stack, tmp_path: Path
) -> None:
    """08 R13: after a FLUSHALL a key is answered from the decision, with the bytes of the first
    answer, and never with the amount of another body."""
    async with (
        opened(stack) as place,
        settling(await with_demo(place), tmp_path),
        _two_edges(place, tmp_path) as edges,
    ):
        first = await edges[0].create("k1")
        await forget(place)
        again = await edges[1].create("k1")
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.headers["Log-Position"] == first.headers["Log-Position"]
        await forget(place)
        other = await edges[0].create("k1", amount=999)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        # What PostgreSQL said is known in Redis now, as it was said.
        assert (await edges[1].create("k1")).content == first.content
        fresh = await edges[0].create("k2")
        assert fresh.status_code == 201
        assert "Idempotent-Replayed" not in fresh.headers
        await _flush_in_the_middle(place, edges)
        assert await place.number("select count(*) from payments") == 22


async def _flush_in_the_middle(place: Place, edges: list[Edge]) -> None:
    """Twenty keys, each sent ten times at once, while Redis forgets again and again."""

    async def forgetful() -> None:
        for _ in range(12):
            await forget(place)
            await asyncio.sleep(0.02)

    async def one(key: str) -> None:
        answers = await asyncio.gather(*(edges[n % 2].create(key) for n in range(10)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 1

    await asyncio.gather(forgetful(), *(one(f"m{n}") for n in range(20)))
    for n in range(20):
        answers = [await edge.create(f"m{n}") for edge in edges]
        assert answers[0].content == answers[1].content


async def test_without_a_decision_a_doubtful_key_is_202(stack: Stack, tmp_path: Path) -> None:
    """08 R13, R16: no settle worker, and Redis forgot: the answer is not known, and says so."""
    async with (
        opened(stack, HEADGATE_IN_FLIGHT_WAIT_MS="300", HEADGATE_READ_WAIT_MS="300") as place,
        running_edge(await with_demo(place), tmp_path) as edge,
    ):
        await edge.create("k1")
        await forget(place)
        answer = await edge.create("k1")
        assert answer.status_code == 202
        assert answer.json()["status"] == "pending"
        location = answer.headers["Location"]
        shown = await edge.get(location)
        assert (shown.status_code, shown.json()["status"]) == (200, "pending")
        async with settling(place, tmp_path):
            await until(lambda: _succeeded(edge, location), 20, "the operation is decided")
            again = await edge.create("k1")
            assert again.status_code == 201, "08 R16: a 202 is never the final answer of a key"


async def _succeeded(edge: Edge, location: str) -> bool:
    return bool((await edge.get(location)).json()["status"] == "succeeded")


async def _empty(place: Place) -> bool:
    return await outbox(place) == 0


@asynccontextmanager
async def _two_edges(place: Place, logs: Path) -> AsyncIterator[list[Edge]]:
    async with running_edge(place, logs) as one, running_edge(place, logs) as two:
        yield [one, two]
