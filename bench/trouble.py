"""Receivers that nobody wants: they hang, drip, reset, or send a gigabyte."""

from __future__ import annotations

import asyncio
import socket
import struct

GIGABYTE = 1 << 30
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
_PIECE = b"x" * 65_536
DRIP_S = 1.0
"""A dripping receiver sends one byte of its answer so often."""
KINDS = ("hang", "drip", "reset", "flood")


class Trouble:
    """What one connection of such a receiver does once it has a request."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._left = 0
        self.paused = False
        """Whether the sender reads too slowly for more of the flood."""

    def answer(self, kind: str) -> None:
        """Begin to be of this kind: one of `KINDS`, `hang` for any other."""
        if kind == "reset":
            self._reset()
        elif kind == "drip":
            self._transport.write(_HEAD % GIGABYTE)
            self._drip()
        elif kind == "flood":
            self._left = GIGABYTE
            self._transport.write(_HEAD % GIGABYTE)
            self.flow()

    def flow(self) -> None:
        """Send more of the flood, until the sender has enough of it."""
        while self._left > 0 and not (self.paused or self._transport.is_closing()):
            self._transport.write(_PIECE)
            self._left -= len(_PIECE)

    def _drip(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"x")
            asyncio.get_running_loop().call_later(DRIP_S, self._drip)

    def _reset(self) -> None:
        """An RST instead of an answer: closing with a linger of zero sends one."""
        connection = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
