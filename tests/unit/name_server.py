"""A name server on a real UDP socket whose zone a test writes, and a lookup that asks it."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

QUESTION = struct.Struct("!HHHHHH")
A, AAAA = 1, 28

Zone = Callable[[int], list[str]]
"""All addresses that the n-th lookup is answered with."""


def question(number: int, host: str, kind: int) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in host.split("."))
    return QUESTION.pack(number, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, 1)


def answer(asked: bytes, addresses: list[str]) -> bytes:
    """With a time to live of 0: whoever keeps it for longer does so of his own accord."""
    (number, *_) = QUESTION.unpack(asked[: QUESTION.size])
    kind = struct.unpack("!H", asked[-4:-2])[0]
    found = [ipaddress.ip_address(address).packed for address in addresses]
    fitting = [packed for packed in found if len(packed) == (4 if kind == A else 16)]
    records = [struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(one)) + one for one in fitting]
    head = QUESTION.pack(number, 0x8180, 1, len(records), 0, 0)
    return head + asked[QUESTION.size :] + b"".join(records)


def addresses_in(said: bytes, asked: bytes) -> list[str]:
    found, place = [], len(asked)
    while place < len(said):
        length = struct.unpack("!H", said[place + 10 : place + 12])[0]
        packed = said[place + 12 : place + 12 + length]
        family = socket.AF_INET if length == 4 else socket.AF_INET6
        found.append(socket.inet_ntop(family, packed))
        place += 12 + length
    return found


class NameServer(asyncio.DatagramProtocol):
    """Answers from the zone; one lookup is a question for IPv4 and one for IPv6."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.lookups = 0
        self.place = ("", 0)
        self._numbers = itertools.count(1)
        self._current: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.place = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if struct.unpack("!H", data[-4:-2])[0] == A:
            self.lookups += 1
            self._current = self.zone(self.lookups)
        self._transport.sendto(answer(data, self._current), addr)

    async def lookup(self, host: str, _port: int) -> list[str]:
        """What a resolver does, without what it would remember."""
        loop, found = asyncio.get_running_loop(), list[str]()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.setblocking(False)
            asking.connect(self.place)
            for kind in (A, AAAA):
                asked = question(next(self._numbers), host, kind)
                await loop.sock_sendall(asking, asked)
                async with asyncio.timeout(5):
                    found += addresses_in(await loop.sock_recv(asking, 512), asked)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found


@asynccontextmanager
async def name_server(zone: Zone) -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: NameServer(zone), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()
