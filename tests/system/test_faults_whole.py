"""The whole of `headgate up` under load: everything arrives once, whatever is killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import redis.asyncio

from bench.load import Load, Target
from bench.system import ROLES
from tests.system.harness_whole import Whole, kill_each, payment_in, whole

pytestmark = [
    pytest.mark.system,
    pytest.mark.chaos,
    pytest.mark.timeout(420),
    pytest.mark.asyncio(loop_scope="module"),
]

COUNT, CONNECTIONS = 1000, 64
RATE = 40
"""Payments per second while processes are killed, so that each kill meets work."""
KILL_EVERY_S = 2.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def subject() -> AsyncIterator[Whole]:
    """One `headgate up` for all tests of this module; each leaves it well."""
    async with whole() as running:
        yield running


async def test_a_thousand_payments_are_final_and_delivered_exactly_once(subject: Whole) -> None:
    prefix, samples = await subject.pay(COUNT, CONNECTIONS)
    await subject.until_done(prefix, COUNT, COUNT)
    await subject.check(prefix, samples)
    assert (await subject.sink.ask("stats"))["requests"] == COUNT
    assert set((await subject.until_well()).values()) == {0}


async def test_nothing_is_lost_or_doubled_when_every_process_is_killed_once(subject: Whole) -> None:
    """kill -9 of each in mid-run, one after the other; the supervisor brings each back."""
    supervisor = await subject.supervisor()
    before = await subject.sink.ask("stats")
    async with asyncio.TaskGroup() as group:
        paying = group.create_task(subject.pay(COUNT, CONNECTIONS, RATE))
        group.create_task(kill_each(subject, ROLES, KILL_EVERY_S))
    prefix, samples = paying.result()
    await subject.until_done(prefix, COUNT, before["distinct"] + COUNT)
    await subject.check(prefix, samples)
    restarts = await subject.until_well()
    assert all(restarts[role] >= 1 for role in ROLES)
    assert await subject.supervisor() == supervisor
    after = await subject.sink.ask("stats")
    repeated = after["repeats"] - before["repeats"]
    tries = max(sample.tries for sample in samples)
    sys.stdout.write(
        f"restarts {restarts}; {repeated} webhooks repeated; a client tried {tries} times at most; "
        f"longest wait for the bank's answer {await subject.longest_wait_s(prefix):.1f} s\n"
    )


async def test_one_key_is_one_payment_also_when_redis_forgets(subject: Whole) -> None:
    """50 requests at once, three times, with FLUSHALL in the midst of each round and between."""
    merchant = subject.merchant
    request = merchant.payment("one-key", 0)
    found = set()
    async with redis.asyncio.Redis.from_url(subject.system.addresses["redis"]) as forgetful:
        for _ in range(3):
            load = Load(Target(merchant.host, merchant.port, 50), lambda _: request, patience_s=20)
            running = asyncio.create_task(load.run(range(50)))
            await asyncio.sleep(0.01)
            await forgetful.flushall()
            samples = await running
            assert {sample.answer.status for sample in samples if sample.answer} <= {
                200,
                201,
                202,
                409,
            }
            found |= {payment_in(s.answer) for s in samples if s.answer and s.accepted}
            await forgetful.flushall()
    assert len(found) == 1
    orders = "select count(*) from payments where order_id = 'one-key-0'"
    assert await subject.place.number(orders) == 1
