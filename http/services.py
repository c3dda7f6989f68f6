"""Everything that the edge is made of, and the order in which it starts and stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

from headgate.http.acceptance import Acceptance
from headgate.http.askers import Askers
from headgate.http.cache import Cache
from headgate.http.claims import Claims
from headgate.http.commanding import Commander
from headgate.http.consistency import Consistency, ConsistentAuthenticator
from headgate.http.creating import Creator
from headgate.http.decisions import Decisions
from headgate.http.detour import Detour
from headgate.http.events import Events
from headgate.http.existing import Existing
from headgate.http.finding import Finder
from headgate.http.handoff import Handoff
from headgate.http.metrics import Metrics
from headgate.http.pending import Pending
from headgate.http.reading import ReadingPostgres
from headgate.http.reclaimer import Reclaimer
from headgate.http.replies import Inbox
from headgate.http.request_log import RequestLog
from headgate.http.sending import Sending
from headgate.streams.bus import Bus
from headgate.streams.errors import Unavailable
from headgate.streams.outbound.transport import PinnedTransport
from headgate.streams.secrets import SecretBox
from headgate.streams.settings import Settings
from headgate.tables.configuration import ConfigurationCopy

log = structlog.get_logger(__name__)

START_WAIT_S = 1.0
"""How long the start waits for each dependency before it goes on without it."""
STOP_WAIT_S = 0.5
"""How long the stop waits for what was begun."""
AGAIN_S = 1.0
"""After this long a background task that failed starts again."""


class Services:
    """One edge. It starts, and accepts what it can, whatever is away (00 A4)."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.request_log = RequestLog(settings, self.metrics)
        self.box = SecretBox(settings.secret_key)
        self.outbound = PinnedTransport(settings)
        self.creator = Creator(settings)
        # A request waits for the log no longer than this, so neither need the producer.
        self.bus = Bus(
            settings.kafka,
            timeout_ms=settings.log_wait_ms,
            client_id="edge",
            retry_backoff_ms=settings.retry_backoff_ms,
            retry_backoff_max_ms=settings.retry_backoff_max_ms,
        )
        self.postgres = ReadingPostgres(settings)
        self.configuration = ConfigurationCopy(settings, self.postgres)
        self.cache = Cache(settings)
        self.inbox = Inbox(settings)
        self.decisions = Decisions(settings, self.postgres, self.bus, self.cache, self.inbox)
        self.consistency = Consistency(settings, self.decisions)
        self.authenticator = ConsistentAuthenticator(settings, self.configuration, self.consistency)
        self.detour = Detour(settings, self.cache)
        self.claims = Claims(settings, self.cache, self.detour, self.configuration)
        self.finder = Finder(settings, self.postgres, self.claims, self.decisions)
        sending = Sending(settings, self.bus, self.claims, self.inbox.name)
        self.handoff = Handoff(settings, sending, self.claims, self.detour, self.decisions)
        self.pending = Pending(settings, self.cache)
        self.acceptance = self._acceptance()
        self.events = Events(
            settings, self.authenticator, self.consistency, self.configuration, self.postgres
        )
        self.reclaimer = Reclaimer(settings, self.bus, self.claims)
        self.metrics.viewers.set_function(lambda: self.events.tip.followers)
        self.metrics.outbox.set_function(lambda: self.claims.waiting)
        self._background: list[asyncio.Task[None]] = []

    def _acceptance(self) -> Acceptance:
        return Acceptance(
            Askers(self.authenticator, self.configuration),
            Existing(self.settings, self.finder, self.decisions),
            Commander(self.settings, self.inbox.name),
            self.handoff,
            self.pending,
            self.metrics,
        )

    async def start(self) -> None:
        """Connect to what is there; look for the rest in the background."""
        await asyncio.gather(
            self.bus.start(), self.detour.start(START_WAIT_S), self._first_configuration()
        )
        self._supervise("configuration", self.configuration.run)
        self._supervise("redis-adoption", self._adopt)
        self._supervise("outbox", self.reclaimer.run)
        self._supervise("replies", self.inbox.run)
        self._supervise("request-log", lambda: self.request_log.run(self.postgres))

    async def stop(self) -> None:
        """Finish what was begun, within a bound; the outbox keeps what is left."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.handoff.drain(STOP_WAIT_S)
        await self._write_down()
        await self.detour.stop()
        await self.bus.stop()
        await self.cache.close()
        await self.outbound.aclose()
        await self.postgres.close()

    async def _write_down(self) -> None:
        """What the request log still holds, unless that takes long."""
        with contextlib.suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(STOP_WAIT_S):
                await self.request_log.write(self.postgres)

    async def _first_configuration(self) -> None:
        try:
            async with asyncio.timeout(START_WAIT_S):
                await self.configuration.refresh()
                await self._adopt_once()
        except (Unavailable, TimeoutError) as error:
            log.warning("starting with the last known configuration", reason=str(error))

    async def _adopt(self) -> None:
        """Let the Redis data that has been there since the first payment vouch (08 R13)."""
        while self.configuration.now.redis_token is None:
            try:
                await self._adopt_once()
            except Unavailable as error:
                log.info("redis not adopted yet", reason=str(error))
            await asyncio.sleep(AGAIN_S)
        await asyncio.Event().wait()

    async def _adopt_once(self) -> None:
        if self.configuration.now.redis_token is not None:
            return
        token, since_ms = await self.claims.birth()
        since = datetime.fromtimestamp(since_ms / 1000, UTC)
        if await self.postgres.fetch("edge_adopt_redis", token, since):
            log.info("redis adopted", since=since.isoformat())
        await self.configuration.refresh()

    def _supervise(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            while True:
                try:
                    await work()
                except Exception:
                    # A fault in one of these must not take the edge along; it is told and the
                    # task starts again.
                    log.exception("background task failed", task=name)
                await asyncio.sleep(AGAIN_S)

        self._background.append(asyncio.create_task(run(), name=f"edge-{name}"))
