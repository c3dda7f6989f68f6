"""The way out against receivers that hang, drip, break off, flood or talk nonsense."""

from __future__ import annotations

import asyncio
import gzip
import socket

import httpx
import pytest

from tests.unit.outbound_receiver import (
    BODY,
    OK,
    Script,
    answering,
    fails,
    hang,
    post,
    receiver,
    transport,
    until,
)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "protocol", "not HTTP"),
        (b"HTTP/1.1 banana\r\n\r\n", "protocol", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "protocol", "not HTTP"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
            "protocol",
            "not HTTP",
        ),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 3000 + b"\r\n", "protocol", "longer than 16384"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 20_000, "protocol", "longer than 16384"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n" + b"x: y\r\n" * 3000,
            "protocol",
            "longer",
        ),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", "closed", "in the middle"),
        (b"HTTP/1.1 200 OK\r\nconte", "closed", "in the middle"),
        (b"", "closed", "without an answer"),
    ],
)
async def test_what_is_not_an_answer_is_a_failure(answer: bytes, kind: str, words: str) -> None:
    async with receiver(answering(answer, close=True)) as there, transport() as way_out:
        assert words in await fails(way_out, there.url, kind)
    assert len(there.requests) == 1


@pytest.mark.parametrize("more", [b"connection: upgrade\r\nupgrade: x\r\n", b""])
async def test_a_protocol_that_was_not_asked_for_is_not_spoken(more: bytes) -> None:
    answer = b"HTTP/1.1 101 Switching Protocols\r\n%b\r\n" % more
    async with receiver(answering(answer)) as there, transport() as way_out:
        assert (await post(way_out, there.url)).status == 101
        assert len(way_out._idle) == 0


async def test_a_reset_is_a_failure() -> None:
    async def reset(_number: int, writer: asyncio.StreamWriter) -> None:
        linger = b"\x01\0\0\0\0\0\0\0"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async with receiver(reset) as there, transport() as way_out:
        await fails(way_out, there.url, "closed")


async def test_a_port_that_nobody_listens_on_refuses() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/"
        async with transport() as way_out:
            assert "refused" in await fails(way_out, url, "connect")


async def drip_headers(_number: int, writer: asyncio.StreamWriter) -> None:
    for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + bytes(1000):
        writer.write(bytes([byte]))
        await asyncio.sleep(0.05)


async def drip_body(_number: int, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    await drip_headers(1, writer)


@pytest.mark.parametrize("script", [hang, drip_headers, drip_body])
async def test_one_deadline_covers_the_whole_answer(script: Script) -> None:
    async with receiver(script) as there, transport() as way_out:
        began = asyncio.get_running_loop().time()
        assert "within the time limit" in await fails(way_out, there.url, "timeout", 200)
        assert 0.19 < asyncio.get_running_loop().time() - began < 1
        assert len(way_out._idle) == 0


def flooding(head: bytes, piece: bytes, sent: list[int]) -> Script:
    """A script that says `head` and then `piece` until nobody listens; counts what was taken."""

    async def flood(_number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while sent[0] < 2**30:
            writer.write(piece)
            await writer.drain()
            sent[0] += len(piece)

    return flood


FLOOD = b"x" * 60_000
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "piece", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n", FLOOD, 16_384),
        (b"HTTP/1.1 200 OK\r\n\r\n", FLOOD, 16_384),
        (CHUNKED, b"ea60\r\n" + FLOOD + b"\r\n", 16_384),
        (CHUNKED + b"2;", FLOOD, 0),
        (CHUNKED + b"2\r\nok\r\n2;", FLOOD, 2),
        (CHUNKED + b"0\r\nx: ", FLOOD, 0),
    ],
    ids=["1 GB", "no length", "chunks", "chunk extension", "second chunk", "trailer"],
)
async def test_an_endless_answer_is_cut_and_its_status_counts(
    head: bytes, piece: bytes, kept: int
) -> None:
    """08 R34: 16 kB of an answer are kept."""
    sent = [0]
    async with receiver(flooding(head, piece, sent)) as there, transport() as way_out:
        answer = await post(way_out, there.url)
        assert len(way_out._idle) == 0
    assert (answer.status, len(answer.body), answer.truncated) == (200, kept, True)
    assert sent[0] < 2**25, "what the system's buffers hold, and no more"


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\nx: ", FLOOD),
        (b"HTTP/1.1 200 ", FLOOD),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        (b"", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 1000),
        (b"", b"\r\n" * 1000),
    ],
    ids=["headers", "a header", "a reason", "continue", "hints", "empty lines"],
)
async def test_an_answer_that_never_comes_to_its_body_is_a_failure(
    head: bytes, piece: bytes
) -> None:
    sent = [0]
    async with receiver(flooding(head, piece, sent)) as there, transport() as way_out:
        await fails(way_out, there.url, "protocol")
    assert sent[0] < 2**25


async def test_a_bomb_of_zeros_stays_packed() -> None:
    """100 MB of zeros are 100 kB in gzip: what is kept are the first 16 kB of those."""
    bomb = gzip.compress(bytes(100_000_000), 1)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
    async with (
        receiver(answering(head + bomb)) as there,
        transport() as way_out,
        httpx.AsyncClient(transport=way_out, trust_env=False) as client,
    ):
        answer = await post(way_out, there.url)
        assert (answer.body, answer.truncated) == (bomb[:16_384], True)
        assert (await client.post(there.url, content=BODY)).content == bomb[:16_384]


async def test_a_body_of_just_the_limit_is_whole() -> None:
    full = b"HTTP/1.1 200 OK\r\ncontent-length: 16384\r\n\r\n" + b"x" * 16_384
    async with receiver(answering(full)) as there, transport() as way_out:
        answer = await post(way_out, there.url)
        assert len(way_out._idle) == 1
    assert (len(answer.body), answer.truncated) == (16_384, False)


async def test_an_answer_that_broke_off_is_not_asked_for_again() -> None:
    script = answering(OK, b"HTTP/1.1 2")

    async def break_off(number: int, writer: asyncio.StreamWriter) -> None:
        await script(number, writer)
        if number == 2:
            writer.close()

    async with receiver(break_off) as there, transport() as way_out:
        await post(way_out, there.url)
        await fails(way_out, there.url, "closed")
    assert len(there.requests) == 2


async def test_what_is_sent_to_a_canceled_caller_is_dropped() -> None:
    async with receiver(hang) as there, transport() as way_out:
        task = asyncio.create_task(post(way_out, there.url))
        await until(lambda: bool(there.requests))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(way_out._idle) == 0


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\rb", "a\0b"])
async def test_a_header_cannot_start_another_one(value: str) -> None:
    async with receiver(answering(OK)) as there, transport() as way_out:
        with pytest.raises(ValueError, match="line break"):
            await way_out.post(there.url, BODY, {"x": value}, 1000)
        request = httpx.Request("POST", there.url, headers={"x": value}, content=BODY)
        with pytest.raises(ValueError, match="line break"):
            await way_out.handle_async_request(request)
    assert not there.requests


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (hang, httpx.ReadTimeout),
        (answering(b"", close=True), httpx.RemoteProtocolError),
        (answering(b"SSH-2.0\r\n"), httpx.RemoteProtocolError),
    ],
)
async def test_failures_speak_httpx_to_httpx(script: Script, error: type[Exception]) -> None:
    async with receiver(script) as there, transport(webhook_timeout_ms=100) as way_out:
        with pytest.raises(error):
            await way_out.handle_async_request(httpx.Request("POST", there.url, content=BODY))
