"""What every request passes first and last: limits, its id, its count, and no error in the raw."""

from __future__ import annotations

import asyncio
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headgate.http.exchange import BODY, KEPT, LIMITS, REQUEST_ID, ROUTE
from headgate.http.metrics import Metrics
from headgate.http.problems import Problem
from headgate.http.problems_of_requests import PayloadTooLarge, RequestTimeout
from headgate.http.problems_of_services import (
    DependencyAway,
    InternalError,
    LogAway,
    Overloaded,
    StoreAway,
    TryAgain,
)
from headgate.http.request_log import Outcome, RequestLog
from headgate.http.seed_words import seed_words
from headgate.streams import ids
from headgate.streams.errors import LogUnavailable, StoreUnavailable, Unavailable
from headgate.streams.settings import Settings

log = structlog.get_logger(__name__)

LINGER_S = 1.0
"""How long what is still sent of a refused body is read, so that the answer is not lost."""
LINGER_BYTES_MAX = 8 << 20

_GATE = "headgate.gate"
_REFUSED = 400
ALWAYS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
"""Headers of every answer."""
OK = 200
UNLIMITED = ("/health", "/metrics")
"""Answered also under overload, or nobody could look into it."""
_AWAY: tuple[tuple[type[Unavailable], type[TryAgain], str], ...] = (
    (LogUnavailable, LogAway, "The log"),
    (StoreUnavailable, StoreAway, "The database"),
    (Unavailable, DependencyAway, "Something that Headgate needs"),
)


class ClientLeftError(Exception):
    """The client closed the connection before its request was complete."""


class Gate:
    """ASGI middleware around everything; plain, since it is on the way of every payment."""

    def __init__(
        self, app: ASGIApp, settings: Settings, metrics: Metrics, request_log: RequestLog
    ) -> None:
        self._app = app
        self._body_bytes_max = settings.body_bytes_max
        self._body_wait_s = settings.body_wait_ms / 1000
        self._in_flight_max = settings.requests_in_flight_max
        self._retry_after_s = settings.retry_after_s
        self._metrics = metrics
        self._request_log = request_log
        self._in_flight = 0
        metrics.in_flight.set_function(lambda: self._in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        scope[REQUEST_ID] = ids.draw_id("req_")
        scope[_GATE] = self
        answer = _Answer(send, scope)
        self._in_flight += 1
        try:
            self._admit(scope)
            scope[BODY] = await self._body(scope, receive)
            await self._app(scope, receive, answer)
        except Problem as problem:
            await self._refuse(problem, scope, receive, answer)
        except Unavailable as error:
            await self._refuse(self._away(error), scope, receive, answer)
        except ClientLeftError:
            log.info("client left", request_id=scope[REQUEST_ID])
        except Exception:
            # The boundary of a request: a fault is told to the log, and the client gets JSON.
            log.exception("fault in a request", request_id=scope[REQUEST_ID])
            await self._refuse(_fault(), scope, receive, answer)
        finally:
            self.let_go(scope)
            self._metrics.count(scope["method"], scope.get(ROUTE, "none"), answer.status)
            if answer.status:
                self._request_log.note(scope, answer.outcome(time.perf_counter() - began))

    def let_go(self, scope: Scope) -> None:
        """Count this request no longer, once."""
        if scope.pop(_GATE, None) is not None:
            self._in_flight -= 1

    def _admit(self, scope: Scope) -> None:
        if self._in_flight > self._in_flight_max and not scope["path"].startswith(UNLIMITED):
            raise Overloaded(
                f"{self._in_flight_max} requests are in flight. Nothing happened; try again.",
                retry_after_s=self._retry_after_s,
            )

    def _away(self, error: Unavailable) -> Problem:
        """What a handler could not do without. It appended nothing, or it says so itself."""
        log.info("dependency away", reason=str(error))
        for kind, problem, name in _AWAY:
            if isinstance(error, kind):
                detail = f"{name} is away. Nothing was changed; try again."
                return problem(detail, retry_after_s=self._retry_after_s)
        raise error

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body. Raises PayloadTooLarge, RequestTimeout or ClientLeftError."""
        declared = None
        for name, value in scope["headers"]:
            if name == b"content-length":
                declared = int(value)  # The HTTP parser has seen that it is a number.
            elif name == b"transfer-encoding":
                declared = declared or 1
        if not declared:
            return b""
        if declared > self._body_bytes_max:
            raise self._too_large()
        try:
            async with asyncio.timeout(self._body_wait_s):
                return await self._read(receive)
        except TimeoutError:
            raise RequestTimeout(
                f"The body did not arrive within {self._body_wait_s:g} s. Nothing happened."
            ) from None

    async def _read(self, receive: Receive) -> bytes:
        chunks = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientLeftError
            part: bytes = message.get("body", b"")
            chunks += part
            if len(chunks) > self._body_bytes_max:
                raise self._too_large()
            if not message.get("more_body", False):
                return chunks

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"The body is longer than {self._body_bytes_max} bytes.")

    async def _refuse(
        self, problem: Problem, scope: Scope, receive: Receive, answer: _Answer
    ) -> None:
        if answer.status:  # The answer had begun; closing the connection is all that is left.
            log.error("answer cut off", request_id=scope[REQUEST_ID], code=problem.code)
            return
        if problem.seed_error is None:
            problem.seed_error = seed_words(problem, scope["method"], scope.get(ROUTE))
        response = problem.response(scope[REQUEST_ID])
        if not isinstance(problem, PayloadTooLarge):
            await response(scope, receive, answer)
            return
        await answer({**_start(response.status_code), "headers": response.raw_headers})
        await answer(_part(response.body, more=True))
        await _linger(receive)
        await answer(_part(b"", more=False))


def let_go(scope: Scope) -> None:
    """Count a request no longer although it is not over: who follows events has a bound of its own
    and must not take the places of those who pay."""
    gate = scope.get(_GATE)
    if isinstance(gate, Gate):
        gate.let_go(scope)


class _Answer:
    """`send`, with the headers that every answer has; remembers what the request log tells."""

    __slots__ = ("_refusal", "_replayed", "_scope", "_send", "status")

    def __init__(self, send: Send, scope: Scope) -> None:
        self._send = send
        self._scope = scope
        self.status = 0
        self._replayed = False
        self._refusal = b""

    def outcome(self, seconds: float) -> Outcome:
        """How it went."""
        return Outcome(self.status, self._replayed, self._refusal, seconds)

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._replayed = any(name == b"idempotent-replayed" for name, _ in message["headers"])
            message["headers"] = [
                *message["headers"],
                (b"request-id", self._scope[REQUEST_ID].encode()),
                *ALWAYS,
            ]
            kept = self._scope.get(KEPT)
            if kept is not None and self.status == OK:
                message["headers"].remove(ALWAYS[0])
                message["headers"].append((b"cache-control", kept.encode()))
            limits = self._scope.get(LIMITS)
            if limits is not None:
                policy, state = limits
                message["headers"] += [
                    (b"ratelimit-policy", policy.encode()),
                    (b"ratelimit", state.encode()),
                ]
        elif self.status >= _REFUSED and not self._refusal:
            self._refusal = bytes(message.get("body", b""))
        await self._send(message)


def _start(status: int) -> Message:
    return {"type": "http.response.start", "status": status}


def _part(body: bytes | memoryview, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": bytes(body), "more_body": more}


async def _linger(receive: Receive) -> None:
    """Read on, within limits: who closes on unread bytes makes the client lose the answer."""
    left = LINGER_BYTES_MAX
    try:
        async with asyncio.timeout(LINGER_S):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def _fault() -> InternalError:
    return InternalError("This is a fault of Headgate; its log has it under the request id.")
