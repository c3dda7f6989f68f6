"""Whether the edge lives, whether everything behind it works, and what to do if not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import orjson
from starlette.responses import PlainTextResponse, Response

from headgate.http.cache import Cache
from headgate.http.claims import Claims
from headgate.http.decisions import Decisions
from headgate.http.exchange import Exchange
from headgate.http.metrics import CONTENT_TYPE, Metrics
from headgate.http.problems import Json
from headgate.http.routing import json_answer
from headgate.http.webhook_gauges import WebhookGauges
from headgate.streams.bus import Bus
from headgate.streams.clock import now_ms
from headgate.streams.errors import CacheUnavailable, LogUnavailable, StoreUnavailable, Unavailable
from headgate.streams.settings import Settings
from headgate.streams.topics import ACQUIRER_REQUESTS, PAYMENT_COMMANDS, PAYMENT_FACTS
from headgate.tables.postgres import Postgres, Row

ROLES = {
    "settle": PAYMENT_COMMANDS.name,
    "acquire": ACQUIRER_REQUESTS.name,
    "notify": PAYMENT_FACTS.name,
}
"""Each worker role and the topic of which somebody must own every partition."""
SILENT_S = 6.0
"""After this long without a heartbeat a worker counts as gone."""
CHECK_WAIT_S = 1.5
"""How long one dependency may take to answer; all are asked at once."""
COUNTS_KEPT_MS = 2000
"""For how long counts are shown again: counting is dear, and anybody may ask."""

FAILURE_KEPT_MS = 1000
"""For how long a failed count is told again, so that a crowd does not wait for it anew."""

OK = "ok"


class Health:
    """`/health`, `/health/live`, `/health/ready`, `/metrics` and the seed's job status."""

    def __init__(
        self, settings: Settings, bus: Bus, cache: Cache, postgres: Postgres, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._cache = cache
        self._postgres = postgres
        self._metrics = metrics
        self._webhooks = WebhookGauges(postgres, metrics.registry)

    async def health(self, exchange: Exchange) -> Response:
        """The seed's answer, for load balancers that look for it."""
        del exchange
        return PlainTextResponse("OK")

    async def live(self, exchange: Exchange) -> Response:
        """The process answers; nothing else is asked."""
        del exchange
        return json_answer({"status": OK})

    async def ready(self, exchange: Exchange) -> Response:
        """Whether a payment would go all the way through now; each thing by its name."""
        del exchange
        checks = await self.checks()
        well = all(state == OK for state in checks.values())
        return json_answer(
            {"status": OK if well else "unwell", "checks": checks}, 200 if well else 503
        )

    async def checks(self) -> dict[str, Json]:
        """Each dependency and worker role: `ok`, or what is wrong and what to do. At most 2 s."""
        kafka, redis, (postgres, workers) = await asyncio.gather(
            self._kafka(), self._redis(), self._workers()
        )
        for name, state in (("kafka", kafka), ("redis", redis), ("postgres", postgres)):
            self._metrics.up.labels(name).set(state == OK)
        return {"kafka": kafka, "redis": redis, "postgres": postgres, **workers}

    async def metrics(self, exchange: Exchange) -> Response:
        """Everything counted, and which dependencies answer now."""
        del exchange
        await asyncio.gather(self.checks(), self._webhooks.refresh())
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def _kafka(self) -> str:
        topic = PAYMENT_COMMANDS.full_name(self._settings)
        try:
            async with asyncio.timeout(CHECK_WAIT_S):
                await self._bus.end_offset(topic, 0)
        except (LogUnavailable, TimeoutError):
            return (
                f"does not answer at {self._settings.kafka}; payments wait in Redis, start it "
                "or set HEADGATE_KAFKA"
            )
        return OK

    async def _redis(self) -> str:
        try:
            await self._cache.ping()
        except CacheUnavailable as error:
            return f"{error}; payments go around it, start it or set HEADGATE_REDIS"
        return OK

    async def _workers(self) -> tuple[str, dict[str, Json]]:
        """PostgreSQL, and the workers as they tell it in their heartbeats."""
        try:
            async with asyncio.timeout(CHECK_WAIT_S):
                rows = await self._postgres.fetch("instances")
        except (StoreUnavailable, TimeoutError) as error:
            reason = str(error) or f"PostgreSQL did not answer within {CHECK_WAIT_S:g} s"
            unknown = "not known while PostgreSQL is away"
            advice = "payments are accepted and wait; start it or set HEADGATE_POSTGRES"
            return f"{reason}; {advice}", dict.fromkeys(ROLES, unknown)
        return OK, {role: self._role(role, rows) for role in ROLES}

    def _role(self, role: str, rows: Sequence[Row]) -> str:
        mine = [row for row in rows if row["role"] == role]
        alive = [row for row in mine if row["silent_s"] <= SILENT_S]
        if not alive:
            since = min((row["silent_s"] for row in mine), default=None)
            silent = "never started" if since is None else f"silent for {since:.0f} s"
            return f"{silent}; start `headgate worker {role}`"
        for row in alive:
            if row["problem"]:
                return f"{row['id']}: {row['problem']}"
        owned = {part for row in alive for part in _partitions(row, ROLES[role])}
        lacking = sorted(set(range(self._settings.partitions)) - owned)
        if lacking:
            return (
                f"nobody works on partitions {lacking} of {ROLES[role]}; if that lasts, start "
                f"another `headgate worker {role}`"
            )
        return OK


def _partitions(row: Row, topic: str) -> Sequence[int]:
    told: Mapping[str, Sequence[int]] = orjson.loads(row["partitions"])
    return told.get(topic, ())


class JobsStatus:
    """`GET /api/v1/test/jobs/status`: the seed's numbers, counted instead of made up."""

    def __init__(
        self, settings: Settings, postgres: Postgres, decisions: Decisions, claims: Claims
    ) -> None:
        self._partitions = settings.partitions
        self._wait_ms = settings.read_wait_ms
        self._postgres = postgres
        self._decisions = decisions
        self._claims = claims
        self._counted: dict[str, Json] = {}
        self._counted_ms = 0
        self._failure: StoreUnavailable | None = None
        self._failed_ms = 0
        self._counting = asyncio.Lock()

    async def show(self, exchange: Exchange) -> Response:
        """Payments by what they wait for: the log and settle, the bank, nothing any more."""
        del exchange
        try:
            # While it fails, one request finds out whether it still does, and the others go.
            if self._failure is None or not self._counting.locked():
                async with asyncio.timeout(self._wait_ms / 1000), self._counting:
                    await self._count_again()
        except TimeoutError:
            self._fail(StoreUnavailable(f"nothing was counted within {self._wait_ms} ms"))
        if self._failure is not None:
            raise StoreUnavailable(str(self._failure))
        return json_answer(self._counted)

    async def _count_again(self) -> None:
        """Count, unless that was done or failed a moment ago."""
        if self._failure is not None and now_ms() - self._failed_ms <= FAILURE_KEPT_MS:
            return
        if now_ms() - self._counted_ms <= COUNTS_KEPT_MS:
            return
        try:
            self._counted, self._counted_ms = await self._count(), now_ms()
            self._failure = None
        except StoreUnavailable as error:
            self._fail(error)

    def _fail(self, error: StoreUnavailable) -> None:
        self._failure, self._failed_ms = error, now_ms()

    async def _count(self) -> dict[str, Json]:
        row = await self._postgres.fetch_row("edge_payment_counts")
        beats = await self._postgres.fetch("instances")
        try:
            waiting = await self._decisions.backlog(self._partitions)
        except Unavailable:
            waiting = 0  # The log is away; what the outbox holds is known all the same.
        settling = any(b["role"] == "settle" and b["silent_s"] <= SILENT_S for b in beats)
        return {
            "pending": waiting + self._claims.waiting,
            "processing": row["pending"] if row else 0,
            "completed": row["completed"] if row else 0,
            "failed": row["failed"] if row else 0,
            "worker_status": "running" if settling else "stopped",
        }
