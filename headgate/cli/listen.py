"""`headgate listen`: a webhook receiver for the terminal, which verifies, dedupes and prints."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import sys
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from headgate.streams.errors import SignatureInvalid
from headgate.streams.money import in_words
from headgate.streams.settings import settings
from headgate.streams.signatures import SEED_HEADER, verify, verify_seed

DEMO_KEY = "key_test_abc123"
DEMO_SECRET = "secret_test_xyz789"  # noqa: S105 - the seed's public demo value
DEMO_WEBHOOK_SECRET = "whsec_test_abc123"  # noqa: S105 - the seed's public demo value
DEFAULT_PORT = 9000
DEFAULT_EDGE = "http://127.0.0.1:8000"

_BODY_BYTES_MAX = 1 << 20
_EVENTS_REMEMBERED_MAX = 10_000
_EDGE_TIMEOUT_S = 10
_STOP_TIMEOUT_S = 2


@dataclass(frozen=True)
class Options:
    """What the command line said."""

    port: int = DEFAULT_PORT
    secret: str = DEMO_WEBHOOK_SECRET
    subscribe: bool = False
    url: str = DEFAULT_EDGE
    api_key: str = DEMO_KEY
    api_secret: str = DEMO_SECRET


def run(arguments: argparse.Namespace) -> int:
    """Listen until Ctrl-C; 1 when the port is taken or the edge refuses the subscription."""
    options = Options(
        port=arguments.port,
        secret=arguments.secret or DEMO_WEBHOOK_SECRET,
        subscribe=arguments.subscribe,
        url=(arguments.url or f"http://127.0.0.1:{settings().http_port}").rstrip("/"),
        api_key=arguments.api_key or DEMO_KEY,
        api_secret=arguments.api_secret or DEMO_SECRET,
    )
    try:
        listening = socket.create_server(("127.0.0.1", options.port))
    except OSError as error:
        _complain(f"Port {options.port} on 127.0.0.1 cannot be used: {error.strerror}.")
        _complain("Another program listens there; choose another one with --port.")
        return 1
    with listening:
        return asyncio.run(_listen(options, listening))


class Ledger:
    """Which events came how often. `webhook-id` is the same in every attempt of an event."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, int] = OrderedDict()

    def count(self, event_id: str) -> int:
        """1 for the first delivery of an event, 2 for the second … Old events are forgotten."""
        self._seen[event_id] = self._seen.pop(event_id, 0) + 1
        if len(self._seen) > _EVENTS_REMEMBERED_MAX:
            self._seen.popitem(last=False)
        return self._seen[event_id]


def application(secret: str) -> Starlette:
    """The receiver: POST to any path. 200 for a signed webhook, 400 with the reason for others."""
    ledger = Ledger()

    async def receive(request: Request) -> Response:
        body = await _read(request)
        if body is None:
            return _refuse("The body is longer than 1 MiB.", 413)
        try:
            checked = _check(secret, request.headers, body)
        except SignatureInvalid as invalid:
            return _refuse(str(invalid), 400)
        event_id = request.headers["webhook-id"]
        _say(_line(body, request.headers["webhook-timestamp"], checked, event_id, ledger))
        return PlainTextResponse("ok")

    async def greet(_request: Request) -> Response:
        return PlainTextResponse("headgate listen: POST webhooks here\n")

    async def agree(request: Request) -> Response:
        """The handshake by which a receiver agrees to webhooks (docs/decisions/0023)."""
        origin = request.headers.get("webhook-request-origin", "*")
        return Response(status_code=204, headers={"WebHook-Allowed-Origin": origin})

    routes = [
        Route("/{path:path}", receive, methods=["POST"]),
        Route("/{path:path}", agree, methods=["OPTIONS"]),
        Route("/{path:path}", greet, methods=["GET"]),
    ]
    return Starlette(routes=routes)


def _check(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """Both signatures, in words. Raises SignatureInvalid."""
    verify(secret, headers, body, now=time.time())
    if SEED_HEADER.lower() not in headers:
        return "signature ok"
    verify_seed(secret, headers, body)
    return "signatures ok"


def _line(body: bytes, timestamp: str, checked: str, event_id: str, ledger: Ledger) -> str:
    """One event in one line."""
    attempted = time.strftime("%H:%M:%S", time.localtime(int(timestamp)))
    parts = [*_describe(body), checked, f"attempt of {attempted}"]
    times = ledger.count(event_id)
    parts.append(event_id if times == 1 else f"{_ordinal(times)} delivery of {event_id}: a repeat")
    # A body may hold anything; a terminal must not obey it.
    return "".join(c if c.isprintable() else "?" for c in "  ".join(parts))


def _describe(body: bytes) -> list[str]:
    """Event, id and amount of a webhook's body, as far as it has them."""
    try:
        event = json.loads(body)
        kind = "refund" if "refund" in event["data"] else "payment"
        thing = event["data"][kind]
        money = in_words(int(thing["amount"]), str(thing.get("currency", "INR")))
        return [str(event["event"]), str(thing["id"]), money]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [body[:80].decode("utf-8", "replace")]


def _ordinal(number: int) -> str:
    teens = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


async def _read(request: Request) -> bytes | None:
    """The bytes as they arrived, which is what was signed; None when there are too many."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _BODY_BYTES_MAX:
            return None
    return bytes(body)


def _refuse(reason: str, status: int) -> Response:
    _say(f"REFUSED  {reason}")
    return PlainTextResponse(reason + "\n", status)


class _Server(uvicorn.Server):
    """A server whose signals belong to us, so that Ctrl-C ends it with 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        yield

    def stop(self) -> None:
        """Answer what was received, then end."""
        self.should_exit = True


async def _listen(options: Options, listening: socket.socket) -> int:
    config = uvicorn.Config(
        application(options.secret),
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_STOP_TIMEOUT_S,
    )
    server = _Server(config)
    here = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    # The socket listens already: what arrives before the server runs waits in its queue.
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    _say(f"Listening for webhooks on {here}   (Ctrl-C ends it)")
    subscribed = not options.subscribe or await _subscribe(options, here)
    if not subscribed:
        server.stop()
    await serving
    return 0 if subscribed else 1


async def _subscribe(options: Options, here: str) -> bool:
    """Ask the edge to send this merchant's webhooks here, signed with our secret."""
    try:
        async with httpx.AsyncClient(timeout=_EDGE_TIMEOUT_S, trust_env=False) as client:
            answer = await client.put(
                f"{options.url}/api/v1/webhooks/settings",
                json={"webhookUrl": here, "webhookSecret": options.secret},
                headers={"X-Api-Key": options.api_key, "X-Api-Secret": options.api_secret},
            )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        _complain(f"The edge at {options.url} did not answer: {str(error) or type(error).__name__}")
        _complain("Start Headgate with `make up`, or name another edge with --url.")
        return False
    if answer.is_success:
        _say(f"Webhooks of {options.api_key} now come here, from {options.url}.")
        return True
    _complain(f"The edge at {options.url} refused the subscription ({answer.status_code}):")
    _complain(_problem(answer))
    return False


def _problem(answer: httpx.Response) -> str:
    """The sentence for people in a problem, or whatever was answered."""
    try:
        problem = answer.json()
        return str(problem.get("detail") or problem["error"])
    except (ValueError, KeyError, AttributeError):
        return answer.text[:300]


def _say(line: str) -> None:
    print(line, flush=True)


def _complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
