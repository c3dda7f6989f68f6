"""The parser of answers against another one, h11: what both accept they read alike (04 §9.7)."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import h11
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.streams.outbound.connection import Connection, Limits
from headgate.streams.outbound.outcome import DeliveryFailed
from tests.unit.test_outbound_connection import KEY, Wire

LIMITS = Limits(header_bytes_max=16_384, body_bytes_max=16_384)
NAMES = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789-_", min_size=1, max_size=12)
VALUES = st.text("abc XYZ012;=,/\"'é\t", max_size=20).map(str.strip)
FRAMING = {"content-length", "transfer-encoding", "connection", "upgrade", "trailer"}
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=6).map(
    lambda pairs: [pair for pair in pairs if pair[0].lower() not in FRAMING]
)


class Read(NamedTuple):
    """What an answer was read as."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


async def ours(data: bytes) -> Read | None:
    connection = Connection(KEY, LIMITS, lambda _free: None, lambda _lost: None)
    connection.connection_made(Wire())
    deadline = asyncio.get_running_loop().time() + 5
    exchange = asyncio.create_task(connection.exchange(b"POST", deadline))
    await asyncio.sleep(0)
    connection.data_received(data)
    connection.connection_lost(None)
    try:
        answer = await exchange
    except DeliveryFailed:
        return None
    headers = [(name.lower(), value.strip()) for name, value in answer.headers]
    return Read(answer.status, headers, answer.body)


def theirs(data: bytes) -> Read | None:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("host", "example.com")]))
    connection.send(h11.EndOfMessage())
    read, body = Read(0, [], b""), b""
    try:
        connection.receive_data(data)
        connection.receive_data(b"")
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response):
                read = Read(event.status_code, list(event.headers), b"")
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return read._replace(body=body)
            elif not isinstance(event, h11.InformationalResponse):
                return None
    except h11.RemoteProtocolError:
        return None


def framed(status: int, headers: list[tuple[str, str]], pieces: list[bytes], way: str) -> bytes:
    """An answer whose body ends in one of the three ways there are."""
    body = b"".join(pieces)
    if way == "length":
        headers = [*headers, ("Content-Length", str(len(body)))]
    elif way == "chunked":
        headers = [*headers, ("Transfer-Encoding", "chunked")]
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece]
        body = b"".join(chunks) + b"0\r\n\r\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")
    return b"HTTP/1.1 %d Reason\r\n%b\r\n%b" % (status, lines, body)


@settings(deadline=None, max_examples=200)
@given(
    status=st.integers(200, 599).filter(lambda status: status not in (204, 304)),
    headers=HEADERS,
    pieces=st.lists(st.binary(max_size=200), max_size=5),
    way=st.sampled_from(["length", "chunked", "close"]),
)
def test_a_good_answer_is_read_as_it_was_meant(
    status: int, headers: list[tuple[str, str]], pieces: list[bytes], way: str
) -> None:
    data = framed(status, headers, pieces, way)
    read = asyncio.run(ours(data))
    assert read is not None
    assert (read.status, read.body) == (status, b"".join(pieces))
    assert read == theirs(data)


@settings(deadline=None, max_examples=300)
@given(
    headers=HEADERS,
    pieces=st.lists(st.binary(max_size=40), max_size=3),
    way=st.sampled_from(["length", "chunked", "close"]),
    noise=st.binary(max_size=3),
    place=st.integers(0, 300),
    cut=st.integers(0, 3),
)
def test_what_both_accept_they_read_alike(
    headers: list[tuple[str, str]],
    pieces: list[bytes],
    way: str,
    noise: bytes,
    place: int,
    cut: int,
) -> None:
    data = framed(200, headers, pieces, way)
    place %= len(data) + 1
    broken = data[:place] + noise + data[place + cut :]
    mine, other = asyncio.run(ours(broken)), theirs(broken)
    if mine is not None and other is not None:
        assert (mine.status, mine.body) == (other.status, other.body)
