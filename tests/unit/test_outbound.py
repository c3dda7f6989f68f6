"""The way out against well-behaved receivers: every answer whole, every connection used again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.unit.outbound_receiver import (
    BODY,
    OK,
    answering,
    post,
    receiver,
    transport,
    until,
)


async def test_a_request_is_exactly_what_was_asked_for_and_the_answer_is_whole() -> None:
    async with (
        receiver(
            answering(b"HTTP/1.1 201 Created\r\nRetry-After: 7\r\ncontent-length: 2\r\n\r\nhi")
        ) as there,
        transport() as way_out,
    ):
        answer = await post(way_out, there.url + "?a=b#part")
    head, _, body = there.requests[0].partition(b"\r\n\r\n")
    assert body == BODY
    assert head.split(b"\r\n") == [
        b"POST /hook?a=b HTTP/1.1",
        b"host: " + there.url[7:].removesuffix("/hook").encode(),
        b"user-agent: Headgate",
        b"accept: */*",
        b"content-type: application/json",
        b"webhook-id: evt_1",
        b"content-length: %d" % len(BODY),
    ]
    assert (answer.status, answer.body, answer.truncated) == (201, b"hi", False)
    assert answer.header("retry-after") == "7"
    assert answer.header("absent") is None
    assert 0 <= answer.connect_ms <= answer.first_byte_ms <= answer.duration_ms < 5000


async def test_a_connection_is_used_again() -> None:
    async with receiver(answering(OK)) as there, transport() as way_out:
        for _ in range(1000):
            assert (await post(way_out, there.url)).body == b"ok"
    assert there.connections == 1
    assert len(there.requests) == 1000


async def test_64_at_once_all_get_their_own_answer() -> None:
    async def echo(number: int, writer: asyncio.StreamWriter) -> None:
        body = there.requests[number - 1].rpartition(b"\r\n\r\n")[2]
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    async def one(number: int) -> bool:
        body = b"body %d" % number
        return (await way_out.post(there.url, body, {}, 5000)).body == body

    async with receiver(echo) as there, transport(webhook_address_in_flight_max=16) as way_out:
        for start in range(0, 640, 64):
            assert all(await asyncio.gather(*[one(start + n) for n in range(64)]))
        assert len(way_out._idle) <= 16
    assert len(there.requests) == 640


async def test_a_host_that_many_endpoints_share_keeps_the_connections_of_all_of_them() -> None:
    """Of 32 endpoints with two under way each; a new connection costs more than a webhook."""
    async with receiver(answering(OK)) as there, transport(webhook_endpoint_in_flight_max=2) as out:
        for _ in range(5):
            urls = [f"{there.url}?endpoint={n % 32}" for n in range(64)]
            await asyncio.gather(*[post(out, url) for url in urls])
    assert there.connections == 64


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, b""),
        (
            b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
            302,
            b"",
        ),
        (
            (
                b"HTTP/1.1 500 \r\ntransfer-encoding: chunked\r\n\r\n"
                b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"
            ),
            500,
            b"hello",
        ),
        (
            b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK,
            200,
            b"ok",
        ),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nraw", 200, b"raw"),
    ],
    ids=["204", "empty", "redirect not followed", "chunked", "interim answers", "not inflated"],
)
async def test_answers_that_keep_the_connection(answer: bytes, status: int, body: bytes) -> None:
    async with receiver(answering(answer)) as there, transport() as way_out:
        for _ in range(3):
            found = await post(way_out, there.url)
            assert (found.status, found.body) == (status, body)
    assert there.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
        OK + b" and more",
    ],
    ids=["close", "close, no length", "no length", "1.0", "1.0, length", "a second answer", "more"],
)
async def test_answers_that_end_the_connection(answer: bytes) -> None:
    async with receiver(answering(answer, close=True)) as there, transport() as way_out:
        for _ in range(3):
            found = await post(way_out, there.url)
            assert (found.status, found.body) == (200, b"ok")
        assert len(way_out._idle) == 0
    assert there.connections == 3


async def test_a_connection_that_went_stale_is_replaced_once() -> None:
    async def close_the_second(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 2:
            writer.close()
        else:
            writer.write(OK)

    async with receiver(close_the_second) as there, transport() as way_out:
        await post(way_out, there.url)
        assert (await post(way_out, there.url)).status == 200
    assert (there.connections, len(there.requests)) == (2, 3)


async def test_idle_connections_are_closed_in_time_and_by_number() -> None:
    async with receiver(answering(OK)) as there, transport(webhook_idle_s=1) as way_out:
        await post(way_out, there.url)
        await until(lambda: len(way_out._idle) == 0)
    async with (
        receiver(answering(OK)) as one,
        receiver(answering(OK)) as other,
        transport(webhook_idle_max=1) as way_out,
    ):
        await post(way_out, one.url)
        await post(way_out, other.url)
        await asyncio.sleep(0)
        assert len(way_out._idle) == 1
        assert (await post(way_out, other.url)).status == 200
        assert other.connections == 1


async def test_an_httpx_client_can_use_it() -> None:
    zipped = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nraw"

    async def pieces() -> AsyncIterator[bytes]:
        yield b"in "
        yield b"pieces"

    async with (
        receiver(answering(zipped)) as there,
        transport() as way_out,
        httpx.AsyncClient(transport=way_out, trust_env=False) as client,
    ):
        answer = await client.post(there.url, json={"a": 1})
        await client.post(there.url, content=pieces())
        with pytest.raises(httpx.UnsupportedProtocol):
            await client.head(there.url)
    assert (answer.status_code, answer.content) == (200, b"raw")
    assert there.requests[0].endswith(b'{"a":1}')
    assert there.requests[1].endswith(b"content-length: 9\r\n\r\nin pieces")
    assert b"chunked" not in there.requests[1]
