"""The connection under every way of cutting an answer into pieces, and under noise."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.streams.outbound.connection import Connection, Limits, RawAnswer
from headgate.streams.outbound.outcome import DeliveryFailed

KEY = ("http", "example.com", 80, "93.184.215.14")
LIMITS = Limits(header_bytes_max=200, body_bytes_max=20)

ANSWERS = [
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
    b"HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nt: v\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1f\r\n" + b"x" * 31 + b"\r\nnonsense",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nx: y\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 200 OK\r\n\r\n" + b"longer than what is kept",
    b"HTTP/1.1 200 OK\r\ncontent-length: 21\r\n\r\n" + b"x" * 21,
    b"HTTP/1.1 200 OK\r\nlong: " + b"x" * 200 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
    b"SSH-2.0-OpenSSH\r\n",
    b"",
]


class Wire(asyncio.Transport):
    """A transport that keeps what is written and knows whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


async def receive(pieces: list[bytes]) -> tuple[RawAnswer | str, bool]:
    """What an exchange makes of these pieces followed by the end, and whether it may be reused."""
    free: list[Connection] = []
    wire = Wire()
    connection = Connection(KEY, LIMITS, free.append, lambda _lost: None)
    connection.connection_made(wire)
    exchange = asyncio.create_task(
        connection.exchange(b"POST", asyncio.get_running_loop().time() + 5)
    )
    await asyncio.sleep(0)
    for piece in pieces:
        if not wire.closed:
            connection.data_received(piece)
    connection.connection_lost(None)
    try:
        answer = await exchange
    except DeliveryFailed as failure:
        assert not free
        return failure.kind, bool(free)
    assert bool(free) or wire.closed
    return answer._replace(first_byte_at=0.0), bool(free)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


@settings(deadline=None, max_examples=50)
@given(answer=st.sampled_from(ANSWERS), places=st.lists(st.integers(0, 1000), max_size=12))
def test_how_an_answer_is_cut_does_not_change_it(answer: bytes, places: list[int]) -> None:
    assert asyncio.run(receive(cut(answer, places))) == asyncio.run(receive(cut(answer, [])))


@settings(deadline=None, max_examples=50)
@given(
    answer=st.sampled_from(ANSWERS),
    noise=st.binary(min_size=1, max_size=40),
    place=st.integers(0, 400),
)
def test_noise_gives_an_answer_or_a_failure_within_the_limits(
    answer: bytes, noise: bytes, place: int
) -> None:
    data = answer[:place] + noise + answer[place:]
    found, _ = asyncio.run(receive([data]))
    if isinstance(found, RawAnswer):
        assert len(found.body) <= LIMITS.body_bytes_max
        assert sum(len(name) + len(value) for name, value in found.headers) <= 200
    else:
        assert found in ("protocol", "closed")


async def test_words_out_of_turn_close_an_idle_connection() -> None:
    free: list[Connection] = []
    wire = Wire()
    connection = Connection(KEY, LIMITS, free.append, lambda _lost: None)
    connection.connection_made(wire)
    exchange = asyncio.create_task(
        connection.exchange(b"POST", asyncio.get_running_loop().time() + 5)
    )
    await asyncio.sleep(0)
    connection.data_received(ANSWERS[0])
    assert (await exchange).body == b"ok"
    assert free == [connection]
    assert connection.is_open
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")
    assert not connection.is_open
