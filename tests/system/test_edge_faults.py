"""The edge accepts with any one of Kafka, Redis and PostgreSQL away (00 A4), and loses nothing."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from headgate.embedded.stack import Stack
from tests.system.harness_edge import Edge, outbox, running_edge, with_demo
from tests.system.harness_place import Place, opened, until
from tests.system.harness_workers import Workers

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

BODY = {"amount": 500, "order_id": "o", "method": "upi"}


@asynccontextmanager
async def settled_place(stack: Stack, logs: Path) -> AsyncIterator[Place]:
    """A namespace with the demo merchant and a settle worker that owns everything."""
    async with opened(stack) as place:
        workers = Workers(await with_demo(place), "settle", logs)
        try:
            await workers.start(0)
            await workers.until_only(0)
            yield place
            await workers.stop()
        finally:
            workers.kill()


async def until_settled(place: Place, payments: int) -> None:
    """Wait until so many payments are in PostgreSQL, and see that there are no more."""

    async def settled() -> bool:
        return await place.number("select count(*) from payments") >= payments

    await until(settled, 30, f"{payments} payments")
    assert await place.number("select count(*) from payments") == payments


async def until_drained(place: Place) -> None:
    """Wait until the outbox is empty."""

    async def drained() -> bool:
        return await outbox(place) == 0

    await until(drained, 30, "an empty outbox")


async def test_redis_frozen_and_dead_is_gone_around(own_stack: Stack, tmp_path: Path) -> None:
    """Cells 21 to 24 of 07 §6; 08 R13: a key that went around Redis is known to it afterwards."""
    async with (
        settled_place(own_stack, tmp_path) as place,
        running_edge(place, tmp_path) as edge,
    ):
        own_stack.freeze("redis")
        began = time.monotonic()
        first = await edge.create("k1")
        assert (first.status_code, time.monotonic() - began < 3) == (201, True)
        assert "Log-Position" in first.headers
        assert (await edge.create("k1")).content == first.content
        quick = time.monotonic()
        assert (await edge.create("k2")).status_code == 201
        assert time.monotonic() - quick < 0.4, "only the first one waits for Redis"
        own_stack.thaw("redis")
        await edge.until_well("redis")
        await _known_afterwards(edge, "k1", first.content)
        own_stack.kill("redis")
        second = await edge.create("k3")
        assert second.status_code == 201
        # The edge dies with what it knows; its successor finds it in the journal.
        edge.send(signal.SIGKILL)
        await edge.ended()
        own_stack.start("redis")
        async with running_edge(place, tmp_path) as successor:
            await successor.until_well("redis")
            await _known_afterwards(successor, "k3", second.content)
        await until_settled(place, 3)


async def _known_afterwards(edge: Edge, key: str, answer: bytes) -> None:
    again = await edge.create(key)
    assert (again.status_code, again.content) == (201, answer)
    other = await edge.create(key, amount=7)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    again = await edge.create(key)
    assert (again.content, again.headers["Idempotent-Replayed"]) == (answer, "true")


async def test_kafka_away_fills_the_outbox_until_it_is_back(
    own_stack: Stack, tmp_path: Path
) -> None:
    """Cells 14 and 15 of 07 §6: 201 without `Log-Position`, then 503, then everything settles
    with the time at which it was accepted."""
    async with (
        settled_place(own_stack, tmp_path) as place,
        running_edge(place, tmp_path, HEADGATE_OUTBOX_ENTRIES_MAX="4") as edge,
    ):
        assert "Log-Position" in (await edge.create("before")).headers
        own_stack.kill("kafka")
        answers = [await edge.create(f"k{n}") for n in range(4)]
        assert {answer.status_code for answer in answers} == {201}
        assert not any("Log-Position" in answer.headers for answer in answers)
        repeated = await edge.create("k0")
        assert (repeated.status_code, repeated.content) == (201, answers[0].content)
        full = await edge.create("k9")
        assert (full.status_code, full.json()["code"]) == (503, "log_unavailable")
        assert int(full.headers["Retry-After"]) > 0
        assert full.headers["Idempotency-Key"] == "k9"
        shown = await edge.get(f"/api/v1/payments/{answers[0].json()['id']}")
        assert (shown.status_code, shown.content) == (200, answers[0].content)
        assert (await edge.checks())["kafka"] != "ok"
        own_stack.start("kafka")
        await until_drained(place)
        await until_settled(place, 5)
        replayed = await edge.create("k0")
        assert replayed.content == answers[0].content
        assert "Log-Position" in replayed.headers
        settled = (await edge.get(f"/api/v1/payments/{answers[0].json()['id']}")).json()
        assert settled["created_at"] == answers[0].json()["created_at"]


async def test_kafka_and_redis_away_is_503(own_stack: Stack, tmp_path: Path) -> None:
    """08 R15: nothing happened, and it says so; the drawn key comes back all the same."""
    async with (
        opened(own_stack) as place,
        running_edge(await with_demo(place), tmp_path) as edge,
    ):
        own_stack.kill("kafka")
        own_stack.kill("redis")
        await edge.create()  # The first one may find out about either.
        answers = await asyncio.gather(*(edge.create() for _ in range(5)))
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.json()["code"] for answer in answers} == {"log_unavailable"}
        assert all(answer.headers["Idempotency-Key"] for answer in answers)
        own_stack.start("redis")
        own_stack.start("kafka")
        await edge.until_well("redis", "kafka")
        assert (await edge.create()).status_code == 201


async def test_postgresql_away_accepts_and_reads_say_so(own_stack: Stack, tmp_path: Path) -> None:
    """Cells 25 and 26 of 07 §6, and 08 R18: a process starts without PostgreSQL."""
    async with opened(own_stack) as place, AsyncExitStack() as exits:
        edge = await exits.enter_async_context(running_edge(await with_demo(place), tmp_path))
        before = await edge.create("k0")
        own_stack.kill("postgres")
        first = await edge.create("k1")
        assert (first.status_code, "Log-Position" in first.headers) == (201, True)
        shown = await edge.get(f"/api/v1/payments/{before.json()['id']}")
        assert (shown.status_code, shown.headers["Stale"]) == (200, "true")
        unknown = await edge.get("/api/v1/payments/pay_aaaaaaaaaaaaaaa")
        assert (unknown.status_code, unknown.json()["code"]) == (503, "store_unavailable")
        listed = await edge.get("/api/v1/payments")
        assert (listed.status_code, listed.json()["code"]) == (503, "store_unavailable")
        settings = await edge.client.put(
            "/api/v1/webhooks/settings", json={"webhookUrl": "http://127.0.0.1:9009/"}
        )
        assert (settings.status_code, settings.json()["retryable"]) == (503, True)
        wrong = await edge.client.get("/api/v1/payments", headers={"Authorization": "Bearer who"})
        assert wrong.status_code == 503
        late = await exits.enter_async_context(running_edge(place, tmp_path))
        assert (await late.create("k2")).status_code == 201
        own_stack.start("postgres")
        await edge.until_well("postgres")


async def test_an_edge_starts_with_everything_away(own_stack: Stack, tmp_path: Path) -> None:
    """00 A4: no process waits for a dependency before it answers."""
    async with opened(own_stack) as place:
        await with_demo(place)
        for server in ("kafka", "redis", "postgres"):
            own_stack.kill(server)
        async with running_edge(place, tmp_path) as edge:
            assert (await edge.get("/health")).text == "OK"
            ready = await edge.get("/health/ready")
            assert ready.status_code == 503
            assert all(state != "ok" for state in ready.json()["checks"].values())
            assert (await edge.create()).status_code == 503, "nobody knows the key yet"
            for server in ("kafka", "redis", "postgres"):
                own_stack.start(server)
            await edge.until_well("kafka", "redis", "postgres")
            assert (await edge.create()).status_code == 201


@pytest.mark.parametrize("point", ["edge.claimed", "edge.acked"])
async def test_what_a_dead_edge_had_claimed_another_one_hands_over(
    stack: Stack, tmp_path: Path, point: str
) -> None:
    """Cells 1 and 2 of 07 §6: killed before the log has it, or before the client heard of it."""
    async with (
        settled_place(stack, tmp_path) as place,
        running_edge(place, tmp_path) as survivor,
        running_edge(place, tmp_path, HEADGATE_CRASH_AT=f"{point}:1:KILL") as doomed,
    ):
        asked = asyncio.create_task(doomed.create("k1"))
        await doomed.ended()
        results = await asyncio.gather(asked, return_exceptions=True)
        assert isinstance(results[0], Exception)
        await until_drained(place)
        answer = await survivor.create("k1")
        assert (answer.status_code, answer.headers["Idempotent-Replayed"]) == (201, "true")
        await until_settled(place, 1)
        shown = (await survivor.get(f"/api/v1/payments/{answer.json()['id']}")).json()
        assert shown["created_at"] == answer.json()["created_at"]


async def test_sigterm_finishes_what_it_has_and_leaves_in_time(
    stack: Stack, tmp_path: Path
) -> None:
    """Cell 3 of 07 §6: no request that was taken fails."""
    async with (
        opened(stack) as place,
        running_edge(await with_demo(place), tmp_path) as edge,
    ):
        asked = [asyncio.create_task(edge.create(f"k{n}")) for n in range(20)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        began = time.monotonic()
        edge.send(signal.SIGTERM)
        assert await edge.ended() == 0
        assert time.monotonic() - began < 8
        done = await asyncio.gather(*asked, return_exceptions=True)
        answers = [answer for answer in done if not isinstance(answer, BaseException)]
        assert {answer.status_code for answer in answers} == {201}
        await _all_on_the_log(place, len(answers))


async def _all_on_the_log(place: Place, answered: int) -> None:
    assert answered > 0
    assert await outbox(place) == 0


async def test_a_postgresql_that_hangs_keeps_no_reader_for_long(
    own_stack: Stack, tmp_path: Path
) -> None:
    """Else a few clients that read fill the edge until it takes no payments either."""
    async with (
        opened(own_stack, HEADGATE_READ_WAIT_MS="300") as place,
        running_edge(await with_demo(place), tmp_path) as edge,
    ):
        payment = (await edge.create("k1")).json()
        paths = ["payments", "webhooks", f"payments/{payment['id']}", "test/jobs/status"]
        await asyncio.gather(*(edge.get(f"/api/v1/{path}") for path in paths[:3]))
        own_stack.freeze("postgres")
        try:
            began = time.monotonic()
            answers = await asyncio.gather(*(edge.get(f"/api/v1/{path}") for path in paths))
            took = time.monotonic() - began
        finally:
            own_stack.thaw("postgres")
        assert [answer.status_code for answer in answers] == [503, 503, 200, 503]
        assert took < 3, took
        await edge.until_well("postgres")
