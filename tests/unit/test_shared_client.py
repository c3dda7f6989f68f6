"""Closing a connection to Kafka: bounded, and no cancellation but the caller's own goes on."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from headgate.streams import shared_client
from headgate.streams.shared_client import stopped


async def its_own_fetch_cancelled() -> None:
    """What aiokafka's consumer does whose broker is away: it cancels a task of its own, awaits it,
    and lets the cancellation out."""
    fetch = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    fetch.cancel()
    await fetch


async def never() -> None:
    await asyncio.sleep(60)


async def broken() -> None:
    raise KafkaConnectionError("gone")


@pytest.mark.parametrize("closing", [its_own_fetch_cancelled, never, broken])
async def test_a_connection_that_closes_badly_harms_nobody(
    closing: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_client, "CLOSE_WAIT_S", 0.05)
    assert callable(closing)
    async with asyncio.timeout(10):
        await stopped(closing())
        await asyncio.sleep(0)


async def test_who_is_cancelled_meanwhile_stays_cancelled() -> None:
    closing = asyncio.create_task(stopped(never()))
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
