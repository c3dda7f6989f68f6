"""Commands with Redis, PostgreSQL, Kafka or the edge itself away: nothing moves twice, nothing
overtakes its payment, and no answer says more than is known."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from headgate.embedded.stack import Stack
from headgate.http.problems_of_requests import KeyReused
from headgate.streams import ids
from tests.system.harness_edge import outbox, running_edge, settling, with_demo
from tests.system.harness_paying import Payer, problem
from tests.system.harness_place import Place, opened, until
from tests.system.harness_running import running_system

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


async def test_a_decision_that_is_slow_is_202_then_the_same_answer_08_r16(
    stack: Stack, tmp_path: Path
) -> None:
    async with running_system(stack, tmp_path) as running:
        payer = Payer(running.edge)
        payment_id = await payer.paid()
        await running.workers["settle"].stop()
        quick = await payer.refund(payment_id, 100, "k1", Prefer="wait=1")
        assert quick.status_code == 202, quick.text
        assert quick.headers["Preference-Applied"] == "wait=1"
        assert "Log-Position" in quick.headers
        location = quick.headers["Location"]
        shown = await running.edge.get(location)
        assert (shown.status_code, shown.json()["status"]) == (200, "pending")
        assert (await payer.refund(payment_id, 100, "k1", Prefer="wait=0")).status_code == 202
        at_once = await payer.refund(payment_id, 100, "k2", Prefer="respond-async")
        assert at_once.status_code == 202
        assert at_once.headers["Preference-Applied"] == "respond-async"
        await running.replace("settle")

        async def decided() -> bool:
            return bool((await running.edge.get(location)).json()["status"] == "succeeded")

        await until(decided, 20, "the refund is decided")
        late = await payer.refund(payment_id, 100, "k1")
        assert late.status_code == 201
        assert late.json() == (await running.edge.get(location)).json()["result"]
        assert late.headers["Original-Request-Id"] == quick.headers["Request-Id"]
        again = await payer.refund(payment_id, 100, "k1")
        assert (again.status_code, again.content) == (201, late.content)


async def test_redis_away_costs_no_command_its_answer(own_stack: Stack, tmp_path: Path) -> None:
    """00 A4: around Redis; and what went around it is known to it afterwards (08 R13)."""
    async with running_system(own_stack, tmp_path) as running:
        payer = Payer(running.edge)
        payment_id = await payer.paid()
        own_stack.kill("redis")
        first = await payer.refund(payment_id, 100, "k1")
        assert first.status_code == 201, first.text
        again = await payer.refund(payment_id, 100, "k1")
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"
        for reused in (
            await payer.refund(payment_id, 7, "k1"),
            await payer.ask(payment_id, "capture", {}, "k1"),
        ):
            assert problem(reused) == (422, KeyReused.code)
        own_stack.start("redis")
        await running.edge.until_well("redis")
        assert (await payer.refund(payment_id, 100, "k1")).content == first.content
        assert problem(await payer.refund(payment_id, 7, "k1")) == (422, KeyReused.code)
        assert (await payer.shown(payment_id))["amount_captured"] == 500
        count = "select count(*) from payment_children where payment_id = $1"
        assert await running.place.number(count, payment_id) == 1


async def test_postgresql_away_takes_what_redis_vouches_for(
    own_stack: Stack, tmp_path: Path
) -> None:
    async with running_system(own_stack, tmp_path) as running:
        payer = Payer(running.edge)
        payment_id = await payer.paid()
        own_stack.kill("postgres")
        taken = await payer.refund(payment_id, 100, "k1", Prefer="wait=1")
        assert taken.status_code == 202, taken.text
        unknown = await payer.refund("pay_aaaaaaaaaaaaaaa", 100)
        assert problem(unknown) == (503, "store_unavailable")
        shown = await running.edge.get(taken.headers["Location"])
        assert (shown.status_code, shown.json()["status"]) == (200, "pending")
        own_stack.start("postgres")
        await running.edge.until_well("postgres")

        async def decided() -> bool:
            return (await payer.refund(payment_id, 100, "k1")).status_code == 201

        await until(decided, 40, "the refund is decided")


async def test_kafka_away_keeps_a_capture_behind_its_create_08_r14(
    own_stack: Stack, tmp_path: Path
) -> None:
    """Both wait in the outbox, with what came after them, and are decided in order."""
    async with running_system(own_stack, tmp_path, HEADGATE_OUTBOX_ENTRIES_MAX="8") as running:
        payer = Payer(running.edge)
        await payer.paid()
        own_stack.kill("kafka")
        created = await payer.create("create", capture_method="manual")
        assert (created.status_code, "Log-Position" in created.headers) == (201, False)
        payment_id = created.json()["id"]
        waiting = [
            await payer.ask(payment_id, "capture", {"amount": n + 1, "final": False}, f"k{n}")
            for n in range(5)
        ]
        assert {answer.status_code for answer in waiting} == {202}
        assert not any("Log-Position" in answer.headers for answer in waiting)
        pending = (await running.edge.get(waiting[0].headers["Location"])).json()
        assert (pending["status"], pending["log_position"]) == ("pending", None)
        await payer.ask(payment_id, "cancel", {}, "k6")
        await payer.ask(payment_id, "cancel", {}, "k7")
        full = await payer.ask(payment_id, "cancel", {}, "k8")
        assert problem(full) == (503, "log_unavailable")
        own_stack.start("kafka")
        await until(lambda: _empty(running.place), 40, "an empty outbox")
        await _in_order(running.place, payment_id, 8)


async def _in_order(place: Place, payment_id: str, commands: int) -> None:
    """Everything was decided, first in, first out: by the time at which each was taken."""
    asked = (
        "select type, created_at from operations where payment_id = $1 and "
        "(type = 'payment.create' or key_id is not null) order by \"offset\""
    )

    async def all_decided() -> bool:
        return len(await place.rows(asked, payment_id)) == commands

    await until(all_decided, 30, f"{commands} decisions")
    rows = await place.rows(asked, payment_id)
    assert rows[0]["type"] == "payment.create"
    times = [row["created_at"] for row in rows]
    assert times == sorted(times)


async def _empty(place: Place) -> bool:
    return await outbox(place) == 0


async def test_an_edge_that_died_holding_a_create_keeps_its_capture_behind_it_08_r14(
    stack: Stack, tmp_path: Path
) -> None:
    """Killed between claim and produce: the outbox of another edge holds the capture back."""
    async with (
        opened(stack) as place,
        settling(await with_demo(place), tmp_path),
        running_edge(place, tmp_path) as survivor,
        running_edge(place, tmp_path, HEADGATE_CRASH_AT="edge.claimed:1:KILL") as doomed,
    ):
        merchant_id = (await Payer(survivor).create("other")).json()["merchant_id"]
        asked = asyncio.create_task(Payer(doomed).create("k1", capture_method="manual"))
        await doomed.ended()
        await asyncio.gather(asked, return_exceptions=True)
        payment_id = ids.payment_id(merchant_id, "test", "k1")
        answer = await Payer(survivor).ask(payment_id, "capture", {}, "k2", Prefer="wait=20")
        assert problem(answer) == (400, "payment_not_capturable"), "decided, behind its create"
        await until(lambda: _empty(place), 20, "an empty outbox")
        rows = await place.rows(
            'select type from operations where payment_id = $1 order by "offset"', payment_id
        )
        assert [row["type"] for row in rows] == ["payment.create", "payment.capture"]


async def test_sigterm_finishes_commands_that_wait(stack: Stack, tmp_path: Path) -> None:
    """No request that was taken fails, and none is answered twice."""
    async with running_system(stack, tmp_path) as running:
        payment_id = await Payer(running.edge).paid()
        async with running_edge(running.place, tmp_path) as leaving:
            payer = Payer(leaving)
            asked = [asyncio.create_task(payer.refund(payment_id, 1, f"k{n}")) for n in range(20)]
            await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            leaving.send(signal.SIGTERM)
            assert await leaving.ended() == 0
            done = await asyncio.gather(*asked, return_exceptions=True)
        answered = [each for each in done if not isinstance(each, BaseException)]
        assert {answer.status_code for answer in answered} == {201}
