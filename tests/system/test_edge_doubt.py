"""Keys that Redis cannot vouch for: no answer ever names an amount that another body fixed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis.asyncio

from headgate.embedded.stack import Stack
from headgate.http.creating import Creator
from headgate.http.handoff import Accepted, Undecided
from headgate.http.problems_of_requests import KeyReused
from headgate.http.schemas import PaymentRequest
from headgate.http.services import Services
from headgate.http.submission import Submission, key_for
from headgate.streams.clock import now_ms
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey
from tests.system.harness_edge import forget, settling
from tests.system.harness_place import Place, opened, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

API_KEY = ApiKey(id="k", merchant_id="mer_1", mode="test", secret_hash=b"", revoked=False)


def submission(settings: Settings, amount: int) -> Submission:
    """A create with the client's key `one`."""
    asked = PaymentRequest(amount=amount, method="upi", order_id="o", vpa="a@b")
    return Creator(settings).submission(
        asked, API_KEY, key_for(API_KEY, "one"), f"req_{amount}", now_ms()
    )


@asynccontextmanager
async def running(place: Place) -> AsyncIterator[Services]:
    """The edge's parts, inside this process."""
    services = Services(place.settings)
    await services.start()
    try:
        yield services
    finally:
        await services.stop()


async def test_a_doubtful_key_is_202_however_often_it_is_repeated_without_the_log(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """08 R13: the answer that Redis keeps is the one of this body, and another may be first."""
    async with opened(stack) as place, running(place) as services:
        first = await services.handoff.accept(submission(place.settings, 100))
        await services.handoff.drain(5)
        assert not isinstance(first, Undecided)
        await forget(place)
        monkeypatch.setattr(type(services.bus), "available", property(lambda _: False))
        for _ in range(3):
            answer = await services.handoff.accept(submission(place.settings, 500))
            assert isinstance(answer, Undecided), answer


async def test_a_key_older_than_the_window_never_gets_another_amount(
    stack: Stack, tmp_path: Path
) -> None:
    """08 R13: its claim has expired, but settle drops duplicates for ever; a new key is answered
    at once all the same."""
    async with (
        opened(stack, HEADGATE_IDEMPOTENCY_WINDOW_S="1") as place,
        settling(place, tmp_path),
        running(place) as services,
    ):
        first = await services.handoff.accept(submission(place.settings, 100))
        assert isinstance(first, Accepted)
        await until(lambda: _forgotten(place), 10, "the claim expires")
        assert await _old(services)
        for _ in range(2):
            with pytest.raises(KeyReused):
                await services.handoff.accept(submission(place.settings, 500))
        again = await services.handoff.accept(submission(place.settings, 100))
        assert isinstance(again, Accepted)
        assert (again.answer, again.replayed) == (first.answer, True)


async def test_a_new_key_is_answered_without_its_decision_when_redis_is_old(
    stack: Stack,
) -> None:
    """Nobody settles here: PostgreSQL has never seen the key, and Redis remembers the window."""
    async with (
        opened(stack, HEADGATE_IDEMPOTENCY_WINDOW_S="1") as place,
        running(place) as services,
    ):
        await services.claims.birth()
        await until(lambda: _old(services), 10, "Redis is older than the window")
        answer = await services.handoff.accept(submission(place.settings, 100))
        assert isinstance(answer, Accepted)
        assert not answer.replayed


async def _forgotten(place: Place) -> bool:
    client = redis.asyncio.Redis.from_url(place.settings.redis)
    try:
        return not [key async for key in client.scan_iter(f"{place.settings.redis_prefix}claim:*")]
    finally:
        await client.aclose()


async def _old(services: Services) -> bool:
    """Whether Redis is older than the window, so that claims have expired."""
    _, since_ms = await services.claims.birth()
    return now_ms() - since_ms > services.settings.idempotency_window_s * 1000
