"""`headgate listen` accepts what Headgate signs, refuses the rest, and counts repeats."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
import time
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from headgate.cli.listen import Ledger, application, run
from headgate.http.webhook_verification import Verifier
from headgate.streams.outbound.transport import PinnedTransport
from headgate.streams.secrets import draw_webhook_secret
from headgate.streams.settings import Settings
from headgate.streams.signatures import SEED_HEADER, sign
from headgate.tables.endpoint import Verdict

SECRET = draw_webhook_secret()
PAYMENT = {
    "event": "payment.success",
    "data": {"payment": {"id": "pay_1", "amount": 50000, "currency": "INR"}},
}
BODY = json.dumps(PAYMENT).encode()


@asynccontextmanager
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(SECRET))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as made:
        yield made


def signed(body: bytes = BODY, event_id: str = "evt_1") -> dict[str, str]:
    return sign([SECRET], event_id, int(time.time()), body)


async def test_a_signed_webhook_is_accepted_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    async with client() as here:
        answer = await here.post("/any/path", content=BODY, headers=signed())
    assert answer.status_code == 200
    line = capsys.readouterr().out
    for words in ("payment.success", "pay_1", "500.00 INR", "signatures ok", "evt_1"):
        assert words in line
    assert line.count("\n") == 1


async def test_a_repeat_is_accepted_and_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    async with client() as here:
        for _ in range(3):
            assert (await here.post("/", content=BODY, headers=signed())).status_code == 200
        await here.post("/", content=BODY, headers=signed(event_id="evt_2"))
    first, second, third, other = capsys.readouterr().out.splitlines()
    assert "delivery of" not in first + other
    assert "2nd delivery of evt_1: a repeat" in second
    assert "3rd delivery of evt_1: a repeat" in third


async def test_it_agrees_to_webhooks_when_it_is_asked() -> None:
    asking = Verifier(Settings(webhook_origin="pay.example"), httpx.ASGITransport(application("s")))
    assert (await asking.ask("http://here/any/path", None, ("mer_1", "live"))) == Verdict()


@pytest.mark.parametrize(
    ("change", "body", "reason"),
    [
        ({"webhook-signature": "v1,AAAA"}, BODY, "No signature"),
        ({SEED_HEADER: "00"}, BODY, SEED_HEADER),
        ({"webhook-timestamp": "1"}, BODY, "replay"),
        ({"webhook-id": ""}, BODY, "missing"),
        ({}, BODY + b" ", "No signature"),
    ],
)
async def test_a_bad_signature_is_refused_with_the_reason(
    change: dict[str, str], body: bytes, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with client() as here:
        answer = await here.post("/", content=body, headers=signed() | change)
    assert answer.status_code == 400
    assert reason in answer.text
    assert reason in capsys.readouterr().out


async def test_the_seeds_header_is_not_demanded(capsys: pytest.CaptureFixture[str]) -> None:
    headers = signed()
    del headers[SEED_HEADER]
    async with client() as here:
        assert (await here.post("/", content=BODY, headers=headers)).status_code == 200
    assert "signature ok" in capsys.readouterr().out


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"data":1}', b'{"data":{"payment":{}}}', b"\x1b[2J\xff\n"]
)
async def test_any_signed_body_is_accepted_and_none_reaches_the_terminal(
    body: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    async with client() as here:
        assert (await here.post("/", content=body, headers=signed(body))).status_code == 200
    line = capsys.readouterr().out
    assert "\x1b" not in line
    assert line.count("\n") == 1


async def test_a_refund_is_named_and_a_huge_body_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    refund = b'{"event":"refund.processed","data":{"refund":{"id":"rfnd_1","amount":5}}}'
    async with client() as here:
        await here.post("/", content=refund, headers=signed(refund))
        assert (await here.post("/", content=bytes(1 << 21))).status_code == 413
        assert (await here.get("/")).status_code == 200
    assert "refund.processed  rfnd_1  0.05 INR" in capsys.readouterr().out


def test_the_ledger_counts_in_words_and_forgets_the_oldest() -> None:
    ledger = Ledger()
    assert [ledger.count("a"), ledger.count("a"), ledger.count("b")] == [1, 2, 1]
    for number in range(10_001):
        ledger.count(str(number))
    assert ledger.count("a") == 1


def arguments(**changes: object) -> Namespace:
    given = {"port": 0, "secret": None, "subscribe": False, "url": "http://127.0.0.1:9"}
    return Namespace(**given, **{"api_key": "key_1", "api_secret": "secret_1"} | changes)


SUBSCRIBE = (
    "import argparse, sys; from headgate.cli.listen import run;"
    "sys.exit(run(argparse.Namespace(port=0, secret=sys.argv[2], subscribe=True, url=sys.argv[1],"
    "api_key='key_1', api_secret='secret_1')))"
)


async def edge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: list[str]) -> None:
    """As much of an edge as a subscription needs: 403 for a secret that is not ours."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
    body = await reader.readexactly(length)
    seen += [head.decode(), body.decode()]
    said = b'{"success":true}' if SECRET.encode() in body else b'{"detail":"Not with this secret."}'
    status = b"200 OK" if SECRET.encode() in body else b"403 Forbidden"
    writer.write(b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status, len(said), said))
    writer.close()


@asynccontextmanager
async def listening(secret: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[str]]]:
    """`headgate listen --subscribe` as a process, and what an edge heard from it."""
    seen: list[str] = []
    server = await asyncio.start_server(lambda r, w: edge(r, w, seen), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SUBSCRIBE, url, secret, stdout=pipe, stderr=pipe
    )
    try:
        async with server, asyncio.timeout(30):
            yield process, seen
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_it_subscribes_receives_and_ends_cleanly(how: signal.Signals) -> None:
    async with listening(SECRET) as (process, seen):
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().split()[4]
        assert b"now come here" in await process.stdout.readline()
        assert seen[0].startswith("PUT /api/v1/webhooks/settings HTTP/1.1")
        assert "x-api-key: key_1\r\nx-api-secret: secret_1\r\n" in seen[0].lower()
        assert json.loads(seen[1]) == {"webhookUrl": url, "webhookSecret": SECRET}
        async with PinnedTransport(Settings(webhook_allow_loopback=True)) as way_out:
            assert (await way_out.post(url, BODY, signed(), 5000)).status == 200
            assert b"payment.success" in await process.stdout.readline()
            process.send_signal(how)
            assert await process.wait() == 0
        assert process.stderr is not None
        assert await process.stderr.read() == b""


async def test_a_subscription_that_is_refused_is_explained() -> None:
    async with listening("whsec_other") as (process, _):
        _, errors = await process.communicate()
        assert process.returncode == 1
    assert b"refused the subscription (403)" in errors
    assert b"Not with this secret." in errors


def test_a_taken_port_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run(Namespace(**vars(arguments()) | {"port": taken.getsockname()[1]})) == 1
    assert "--port" in capsys.readouterr().err


def test_an_edge_that_is_not_there_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        assert run(Namespace(**vars(arguments()) | {"subscribe": True, "url": url})) == 1
    assert "make up" in capsys.readouterr().err
