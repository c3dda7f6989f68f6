"""A webhook receiver that counts: `python -m bench.sink` prints its port and serves until killed.

POST /anything          200
POST /reluctant         503 at the first sight of every tenth webhook-id, then 200
POST /refuse            503, always
POST /gate              503 from GET /shut to GET /open, else 200
POST /hang /drip /reset /flood    what their names say, see `bench.trouble`
GET  /stats             requests, distinct ids, repeats, repeats with another body, refusals,
                        requests to one of the four
GET  /seen              how often each webhook-id was received
GET  /arrivals          when each webhook-id was first received, in milliseconds since 1970
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
import zlib
from collections import Counter
from typing import cast

import httptools
import uvloop

from bench.trouble import KINDS, Trouble

RELUCTANT_ONE_IN = 10


class Received:
    """What has arrived so far."""

    def __init__(self) -> None:
        self.by_id: Counter[str] = Counter()
        self.bodies: dict[str, bytes] = {}
        self.arrivals: dict[str, int] = {}
        self.refused: set[str] = set()
        self.refusals = 0
        self.shut = False
        self.changed = 0
        self.nameless = 0
        self.troubled = 0

    def stats(self) -> dict[str, int]:
        """The counters."""
        requests = self.by_id.total()
        return {
            "requests": requests,
            "distinct": len(self.by_id),
            "repeats": requests - len(self.by_id),
            "changed": self.changed,
            "nameless": self.nameless,
            "refused": len(self.refused),
            "refusals": self.refusals,
            "troubled": self.troubled,
        }

    def take(self, path: str, webhook_id: str, body: bytes) -> int:
        """Count one delivery and answer its status."""
        if not webhook_id:
            self.nameless += 1
            return 400
        digest = hashlib.sha256(body).digest()
        if self.bodies.setdefault(webhook_id, digest) != digest:
            self.changed += 1
        one_of_ten = zlib.crc32(webhook_id.encode()) % RELUCTANT_ONE_IN == 0
        first = path == "/reluctant" and one_of_ten and webhook_id not in self.refused
        if first or path == "/refuse" or (path == "/gate" and self.shut):
            self.refused.add(webhook_id)
            self.refusals += 1
            return 503
        self.by_id[webhook_id] += 1
        self.arrivals.setdefault(webhook_id, time.time_ns() // 1_000_000)
        return 200


class Receiver(asyncio.Protocol):
    """One connection of a sender."""

    def __init__(self, received: Received) -> None:
        self._received = received
        self._transport: asyncio.Transport | None = None
        self._trouble: Trouble | None = None
        self._start()

    def _start(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._url, self._webhook_id = b"", ""
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def pause_writing(self) -> None:
        if self._trouble is not None:
            self._trouble.paused = True

    def resume_writing(self) -> None:
        if self._trouble is not None:
            self._trouble.paused = False
            self._trouble.flow()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if self._transport is not None:
                self._transport.abort()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"webhook-id":
            self._webhook_id = value.decode("latin1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        path = self._url.decode("latin1")
        shown = {"/seen": self._received.by_id, "/arrivals": self._received.arrivals}
        if path in ("/shut", "/open"):
            self._received.shut = path == "/shut"
        if path in ("/stats", "/shut", "/open"):
            self._answer(200, json.dumps(self._received.stats()).encode())
        elif path in shown:
            self._answer(200, json.dumps(shown[path]).encode())
        elif path[1:] in KINDS:
            self._be_trouble(path[1:])
        else:
            status = self._received.take(path, self._webhook_id, b"".join(self._body))
            self._answer(status, b"{}")
        self._start()

    def _be_trouble(self, kind: str) -> None:
        self._received.troubled += 1
        if self._transport is not None:
            self._trouble = Trouble(self._transport)
            self._trouble.answer(kind)

    def _answer(self, status: int, body: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n"
            head += f"Content-Length: {len(body)}\r\n\r\n"
            self._transport.write(head.encode() + body)


async def serve() -> None:
    """Listen on a free port of loopback and say which."""
    received = Received()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Receiver(received), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
