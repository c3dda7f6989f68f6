"""The outbox in Redis hands over in order: per payment first in, first out (08 R14)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from headgate.embedded.stack import Stack
from headgate.http.cache import Cache
from headgate.http.claims import Claims, Decided, Ending
from headgate.http.detour import Detour
from headgate.http.submission import Answer, Submission, key_for
from headgate.streams.bus import Record
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey, Configuration, ConfigurationCopy
from headgate.tables.postgres import Postgres
from tests.system.harness_place import until

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

API_KEY = ApiKey(id="k", merchant_id="mer_1", mode="test", secret_hash=b"", revoked=False)


def submission(name: str, payment_id: str, *, keyed: bool = True) -> Submission:
    """A command of a payment under a key of its own."""
    key = key_for(API_KEY, name if keyed else None)
    return Submission(
        command_id=name,
        payment_id=payment_id,
        type="payment.capture",
        request_id=f"req_{name}",
        key=key,
        fingerprint=name,
        record=Record("t", 0, payment_id.encode(), b"{}", (), 7),
    )


@pytest_asyncio.fixture
async def claims(stack: Stack, live_settings: Settings, tmp_path: Path) -> AsyncIterator[Claims]:
    """Claims on a Redis that vouches, with short leases."""
    del stack
    settings = live_settings.model_copy(update={"state_dir": tmp_path, "outbox_lease_ms": 100})
    cache = Cache(settings)
    detour = Detour(settings, cache)
    copy = ConfigurationCopy(settings, Postgres(settings))
    found = Claims(settings, cache, detour, copy)
    await detour.start(5)
    token, _ = await found.birth()
    copy.now = Configuration(version=1, redis_token=token)
    found.owner = "me:1"
    yield found
    await detour.stop()
    await cache.close()


async def reclaimed(claims: Claims, most: int = 512) -> list[str]:
    """The commands that may be taken over now."""
    return [each.command_id for each in await claims.reclaim(most)]


async def test_an_entry_knows_what_it_stands_behind(claims: Claims) -> None:
    first = await claims.claim(submission("c1", "pay_a"))
    assert (first.word, first.before) == ("new", None)
    second = await claims.claim(submission("c2", "pay_a"))
    assert second.before == ("c1", "me:1")
    assert (await claims.claim(submission("c3", "pay_b"))).before is None
    await _ended(claims, "c1", "pay_a")
    third = await claims.claim(submission("c4", "pay_a"))
    assert third.before == ("c2", "me:1")
    for name in ("c2", "c4"):
        await _ended(claims, name, "pay_a")
    assert (await claims.claim(submission("c5", "pay_a"))).before is None
    assert not await claims.holds("c4")


async def test_entries_are_taken_over_in_order_and_never_from_between(claims: Claims) -> None:
    """Names that sort against their order, entered in one millisecond."""
    names = ["z", "y", "x", "w", "v"]
    for name in names:
        await claims.claim(submission(name, "pay_a"))
    taken: list[str] = []

    async def due() -> bool:
        taken[:] = taken or await reclaimed(claims, 2)
        return bool(taken)

    await until(due, 10, "leases run out")
    assert taken == ["z", "y"]
    assert await reclaimed(claims, 1) == [], "x stands behind y, which is in other hands"
    for name in ("z", "y"):
        await _ended(claims, name, "pay_a")
    assert await reclaimed(claims) == ["x", "w", "v"]


async def test_a_claim_is_answered_by_what_was_decided(claims: Claims) -> None:
    asked = submission("c1", "pay_a")
    await claims.claim(asked)
    again = await claims.claim(asked)
    assert (again.word, again.answer) == ("claimed", None)
    await _ended(claims, "c1", "pay_a")
    acked = await claims.claim(asked)
    assert (acked.word, acked.answer, acked.position) == ("acked", None, "t/0@1")
    answer = Answer(400, b'{"code":"x"}', "req_c1")
    told = claims_decided(asked, answer)
    claims.end(told)
    await claims.drain(5)
    replayed = await claims.claim(asked)
    assert (replayed.word, replayed.answer) == ("acked", answer)
    assert (await claims.claim(replace(asked, fingerprint="other"))).word == "other"


async def test_a_redis_that_was_flushed_asks_for_postgresql_first_08_r13(claims: Claims) -> None:
    """Nothing is claimed by the question itself."""
    claims._configuration.now = Configuration(version=2, redis_token="another")
    asked = submission("c1", "pay_a")
    assert (await claims.claim(asked)).word == "ask"
    assert not await claims.holds("c1")
    unused = await claims.claim(asked, "unused")
    assert (unused.word, unused.vouched) == ("new", False)
    drawn = await claims.claim(submission("c2", "pay_a", keyed=False))
    assert (drawn.word, drawn.vouched) == ("new", True)


def claims_decided(asked: Submission, answer: Answer) -> Ending:
    """The ending that writes an answer down."""
    decided = Decided(asked.fingerprint, asked.type, answer)
    return Ending(asked.key.id, asked.payment_id, asked.command_id, "t/0@1", decided)


async def _ended(claims: Claims, name: str, payment_id: str) -> None:
    key_id = submission(name, payment_id).key.id
    claims.end(Ending(key_id, payment_id, name, "t/0@1"))
    await claims.drain(5)
