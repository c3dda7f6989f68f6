"""Steps as requests to an edge, over a handful of keep-alive connections."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from headgate.replay.bank_values import APPROVED, in_doubt
from headgate.replay.fresh_ids import Ids, RecordedIds
from headgate.replay.rest_calls import API, Call, call_of
from headgate.replay.sinks import OPEN_STATES, Outcome
from headgate.replay.steps import Step
from headgate.replay.tally import SAMPLES_MAX, Asked, Tally
from headgate.replay.wire import Answer, Connection, request_bytes
from headgate.streams.errors import HeadgateError

ANSWER_WAIT_S = 30.0
"""How long one answer is waited for."""
READS_MAX = 16
"""Questions in flight about how payments stand."""
_PENDING = (
    "amount_capture_pending", "amount_void_pending", "amount_refund_pending",
)  # fmt: skip


class EdgeAddressWrong(HeadgateError):
    """`--to` does not say where an edge is."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Where an edge is, and as whom to ask it."""

    host: str
    port: int
    tls: bool
    headers: dict[str, str]

    @classmethod
    def at(cls, url: str, key: str, secret: str) -> Edge:
        """The edge behind a base URL. Raises EdgeAddressWrong."""
        parts = urlsplit(url)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            port = 0
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or not port
        if wrong or parts.path not in ("", "/"):
            raise EdgeAddressWrong(
                f"{url!r} is no address of an edge; say http://host:port, without a path"
            )
        headers = {"X-Api-Key": key, "X-Api-Secret": secret}
        return cls(parts.hostname or "", port, parts.scheme == "https", headers)


class RestSink:
    """An edge. A step is asked under its own idempotency key, so that it counts once."""

    def __init__(self, edge: Edge, ids: Ids, tally: Tally) -> None:
        self._edge = edge
        self._ids = ids
        self._tally = tally
        self._host = f"{edge.host}:{edge.port}"
        self._tls = ssl.create_default_context() if edge.tls else None
        self._idle: list[Connection] = []
        self._reads = asyncio.Semaphore(READS_MAX)
        self._sampled = 0

    async def send(self, step: Step, shift_ms: int) -> Outcome:
        """Ask once."""
        call = call_of(step, self._ids.at(step.place.turn), shift_ms)
        body = orjson.dumps(call.body)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": call.key,
            **self._edge.headers,
        }
        answer = await self._ask(request_bytes("POST", call.path, self._host, headers, body))
        if answer is None:
            return Outcome(0, "no_answer", again=True)
        outcome = self._outcome(step, answer)
        if outcome.accepted:
            self._sample(call, headers, body, answer)
            if call.plays not in (None, step.scenario or APPROVED):
                return outcome._replace(approximated=f"{step.scenario} by {call.plays}")
        return outcome

    async def rests(self, step: Step) -> bool:
        """As the edge shows the payment."""
        async with self._reads:
            payment = await self.read(f"{API}/payments/{self.payment_of(step)}")
        return payment is not None and _at_rest(payment)

    async def read(self, path: str) -> dict[str, Any] | None:
        """What a GET answers with 200; None for everything else."""
        answer = await self._ask(request_bytes("GET", path, self._host, self._edge.headers))
        if answer is None or answer.status != 200:  # noqa: PLR2004
            return None
        return dict(_json(answer.body))

    def payment_of(self, step: Step) -> str:
        """By derivation, without asking."""
        return self._ids.at(step.place.turn).payment(step.recorded)

    def plays_doubt(self, step: Step) -> bool:
        """By its test value."""
        return step.creates and in_doubt(step.scenario or APPROVED)

    async def close(self) -> None:
        """Drop every connection."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _ask(self, request: bytes) -> Answer | None:
        """The answer; None when none came, although the edge may have done what was asked."""
        connection = self._idle.pop() if self._idle else self._connection()
        try:
            answer = await connection.ask(request)
        except (OSError, TimeoutError):
            connection.close()
            return None
        except asyncio.CancelledError:
            connection.close()
            raise
        self._idle.append(connection)
        return answer

    def _connection(self) -> Connection:
        edge = self._edge
        return Connection(edge.host, edge.port, timeout_s=ANSWER_WAIT_S, tls=self._tls)

    def _outcome(self, step: Step, answer: Answer) -> Outcome:
        status, payment_id = answer.status, self.payment_of(step)
        if 200 <= status < 300:  # noqa: PLR2004
            return Outcome(status, "", payment_id if step.creates else _made(answer), payment_id)
        told = _json(answer.body)
        decline = told.get("decline_code")
        code = f"decline:{decline}" if decline else str(told.get("code") or status)
        again = answer.headers.get("should-retry") == "true" or status >= 500  # noqa: PLR2004
        wait_s = _seconds(answer.headers.get("retry-after"))
        # What was decided before is answered with this header, a refusal too.
        known = answer.headers.get("idempotent-replayed") == "true"
        anew = isinstance(self._ids, RecordedIds) and not known and not again
        return Outcome(status, code, "", payment_id, again=again, wait_s=wait_s, anew=anew)

    def _sample(self, call: Call, headers: dict[str, str], body: bytes, answer: Answer) -> None:
        """Keep some, each answered request with the same chance (reservoir sampling)."""
        self._sampled += 1
        samples, place = self._tally.samples, random.randrange(self._sampled)  # noqa: S311
        if len(samples) < SAMPLES_MAX:
            place = len(samples)
        elif place >= SAMPLES_MAX:
            return
        asked = Asked("POST", call.path, headers, body, answer.status, answer.body)
        samples[place : place + 1] = [asked]


def _at_rest(payment: Mapping[str, Any]) -> bool:
    """Whether a payment, as it is shown, has nothing open at its bank."""
    return payment["state"] not in OPEN_STATES and not any(payment[name] for name in _PENDING)


def _made(answer: Answer) -> str:
    """What a step made; nothing is known to be made before it is decided."""
    told = _json(answer.body)
    return "" if told.get("object") == "operation" else str(told.get("id", ""))


def _json(body: bytes) -> dict[str, Any]:
    """The object that a body holds; an empty one for anything else."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdecimal() else 0.0
