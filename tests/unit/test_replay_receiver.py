"""The run's own receiver: counts what is signed, answers at once, remembers beyond its death."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from headgate.replay import receiver
from headgate.replay.receiver import Arrivals, ArrivalsUnreadable, Receiver
from headgate.streams.signatures import sign
from tests.unit.replay_rows import SECRET


def headers(webhook_id: str, body: bytes) -> Mapping[str, str]:
    """Of a webhook that is sent now."""
    return sign([SECRET], webhook_id, int(time.time()), body)


@asynccontextmanager
async def listening(arrivals: Arrivals) -> AsyncIterator[Receiver]:
    """A receiver for as long as the block runs."""
    one = Receiver(arrivals)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


async def test_webhooks_are_counted_by_id_and_bytes_over_kept_connections() -> None:
    arrivals = Arrivals(SECRET)
    async with listening(arrivals) as one, httpx.AsyncClient() as client:
        for webhook_id in ("evt_1", "evt_2", "evt_1"):
            sent = await client.post(one.url, content=b"{}", headers=headers(webhook_id, b"{}"))
            assert sent.status_code == 200
    assert (arrivals.distinct, arrivals.requests, arrivals.repeats) == (2, 3, 1)
    assert arrivals.has("evt_1", b"{}")
    assert not arrivals.has("evt_1", b"{} ")
    assert not arrivals.has("evt_3", b"{}")


async def test_a_receiver_that_has_stopped_takes_nothing_over_a_kept_connection() -> None:
    arrivals = Arrivals(SECRET)
    async with httpx.AsyncClient() as client:
        async with listening(arrivals) as one:
            url = one.url
            await client.post(url, content=b"{}", headers=headers("evt_1", b"{}"))
        with pytest.raises(httpx.TransportError):
            await client.post(url, content=b"{}", headers=headers("evt_2", b"{}"))
    assert arrivals.distinct == 1


async def test_a_body_that_comes_in_pieces_is_one_webhook() -> None:
    arrivals, body = Arrivals(SECRET), b"x" * 100_000
    async with listening(arrivals) as one, httpx.AsyncClient() as client:

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(body), 9999):
                yield body[start : start + 9999]

        sent = await client.post(one.url, content=pieces(), headers=headers("evt_1", body))
    assert sent.status_code == 200
    assert arrivals.has("evt_1", body)


async def test_what_is_not_signed_is_refused_and_told_by_its_id() -> None:
    arrivals = Arrivals(SECRET)
    async with listening(arrivals) as one, httpx.AsyncClient() as client:
        wrong = {**headers("evt_1", b"{}"), "webhook-signature": "v1,AAAA"}
        assert (await client.post(one.url, content=b"{}", headers=wrong)).status_code == 400
        assert (await client.post(one.url, content=b"{}")).status_code == 400
    assert (arrivals.distinct, arrivals.unsigned) == (0, 2)
    assert arrivals.complaints[0].startswith("evt_1: ")
    assert arrivals.complaints[1].startswith("without a webhook-id: ")


@pytest.mark.parametrize(
    "sent",
    [
        b"no http at all\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 2**21,
    ],
)
async def test_what_is_no_webhook_ends_its_connection_and_nothing_else(sent: bytes) -> None:
    arrivals = Arrivals(SECRET)
    async with listening(arrivals) as one, httpx.AsyncClient() as client:
        place = urlsplit(one.url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(sent)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        answer = await client.post(one.url, content=b"{}", headers=headers("evt_1", b"{}"))
    assert answer.status_code == 200


def test_what_was_answered_is_known_to_the_next_sitting(tmp_path: Path) -> None:
    file, now_s = tmp_path / "replays" / "run.received", time.time()
    first = Arrivals(SECRET, file)
    for webhook_id in ("evt_1", "evt_2"):
        assert first.take(headers(webhook_id, b"{}"), b"{}", now_s) == 200
    file.write_bytes(file.read_bytes() + b"cut")  # Killed in the middle of the third.
    again = Arrivals(SECRET, file)
    assert again.distinct == 2
    again.take(headers("evt_1", b"{}"), b"{}", now_s)
    again.take(headers("evt_3", b"{}"), b"{}", now_s)
    assert (again.distinct, again.repeats) == (3, 1)
    first.close()
    again.close()
    assert Arrivals(SECRET, file).has("evt_3", b"{}")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(ArrivalsUnreadable, match=str(tmp_path)):
        Arrivals(SECRET, tmp_path)


def test_memory_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "IDS_MAX", 2)
    arrivals = Arrivals(SECRET)
    for number in range(4):
        body = str(number).encode()
        assert arrivals.take(headers("evt_1", body), body, time.time()) == 200
    assert (arrivals.distinct, arrivals.forgotten) == (2, 2)
