"""The request log: who asked for what when, and how it went; written aside, never waited for."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime
from itertools import islice
from typing import NamedTuple

import orjson
import structlog
from starlette.types import Scope

from headgate.http.exchange import API_KEY, PAYMENT_ID, REQUEST_ID, ROUTE
from headgate.http.metrics import METHODS, Metrics
from headgate.streams.clock import from_ms, now_ms
from headgate.streams.errors import HeadgateError
from headgate.streams.settings import Settings
from headgate.tables.acting import is_person
from headgate.tables.configuration import ApiKey
from headgate.tables.postgres import Postgres, RowRefused

log = structlog.get_logger(__name__)

WRITE_EVERY_S = 1.0
"""How long entries gather. They are for people, who look later."""
BATCH_MAX = 1000
"""Entries of one statement; above it the event loop of a payment would feel the encoding."""
KEYS_MAX = 10_000
"""API keys whose last use waits to be written; beyond it the others' is not noted."""
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_REFUSED = 400
_UNAUTHORIZED = 401
_CONFLICTS = frozenset({"idempotency_key_reused", "idempotency_key_in_use"})


class Entry(NamedTuple):
    """One request, in the order of the statement `note_requests`. What the client wrote freely
    (paths, queries, bodies, headers) is in none of it."""

    id: str
    at: datetime
    merchant_id: str | None
    mode: str | None
    key_id: str | None
    method: str
    route: str
    status: int
    code: str | None
    idempotency: str | None
    payment_id: str | None
    duration_us: int


class Outcome(NamedTuple):
    """What the gate knows of an answer."""

    status: int
    replayed: bool
    refusal: bytes
    """The problem, when it was refused."""
    seconds: float


class RequestLog:
    """Entries that wait for PostgreSQL, within a bound; who has no key may use up half of it."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._waiting_max = settings.request_log_waiting_max
        self._waiting: deque[Entry] = deque()
        self._uses: dict[str, int] = {}
        self._dropped = metrics.request_log_dropped
        metrics.request_log_waiting.set_function(lambda: len(self._waiting))

    def note(self, scope: Scope, outcome: Outcome) -> None:
        """Note a request if it belongs in the log, and the use of its key. Costs microseconds."""
        api_key: ApiKey | None = scope.get(API_KEY)
        if api_key is not None and outcome.status != _UNAUTHORIZED:
            self._use(api_key.id)
        refused = outcome.status >= _REFUSED
        if scope["method"] in _READS and not (refused and scope["path"].startswith("/api/")):
            return
        most = self._waiting_max if api_key is not None else self._waiting_max // 2
        if len(self._waiting) >= most:
            self._dropped.inc()
        else:
            self._waiting.append(_entry(scope, api_key, outcome))

    def _use(self, key_id: str) -> None:
        if key_id in self._uses or (len(self._uses) < KEYS_MAX and not is_person(key_id)):
            self._uses[key_id] = now_ms()

    async def run(self, postgres: Postgres) -> None:
        """Write for ever; what PostgreSQL does not take now it is offered again."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            try:
                await self.write(postgres)
            except HeadgateError as error:
                log.info("the request log waits", reason=str(error))

    async def write(self, postgres: Postgres) -> None:
        """Write what waits. Raises StoreUnavailable, and keeps what was not written."""
        while self._waiting:
            batch = list(islice(self._waiting, BATCH_MAX))
            try:
                await postgres.fetch("note_requests", *map(list, zip(*batch, strict=True)))
            except RowRefused as error:  # A fault of ours, which must not hold up the rest.
                log.exception("entries of the request log refused", reason=str(error))
                self._dropped.inc(len(batch))
            for _ in batch:
                self._waiting.popleft()
        uses = dict(self._uses)
        if uses:
            await postgres.fetch("note_key_uses", list(uses), [from_ms(at) for at in uses.values()])
            self._uses = {key: at for key, at in self._uses.items() if uses.get(key) != at}


def _entry(scope: Scope, api_key: ApiKey | None, outcome: Outcome) -> Entry:
    code = _code(outcome.refusal)
    method: str = scope["method"]
    return Entry(
        scope[REQUEST_ID],
        from_ms(now_ms() - round(outcome.seconds * 1000)),
        api_key.merchant_id if api_key else None,
        api_key.mode if api_key else None,
        api_key.id if api_key else None,
        method if method in METHODS else "other",
        scope.get(ROUTE, "none"),
        outcome.status,
        code,
        _idempotency(scope, outcome, code),
        scope.get(PAYMENT_ID),
        round(outcome.seconds * 1_000_000),
    )


def _code(refusal: bytes) -> str | None:
    """Which problem it was; answers that are no problems have none."""
    if not refusal:
        return None
    try:
        return str(orjson.loads(refusal)["code"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None


def _idempotency(scope: Scope, outcome: Outcome, code: str | None) -> str | None:
    """What became of the key that the client sent."""
    if outcome.replayed:
        return "replayed"
    if code in _CONFLICTS:
        return "conflict"
    for name, _ in scope["headers"]:
        if name == b"idempotency-key":
            return "fresh"
    return None
