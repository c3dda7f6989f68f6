"""Replay: past events go to an endpoint again, page by page, for as long as that takes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import structlog

from headgate.streams.bus import Bus
from headgate.streams.crashpoints import reach
from headgate.streams.errors import Unavailable
from headgate.streams.settings import Settings
from headgate.tables import replay_work
from headgate.tables.configuration import ConfigurationCopy
from headgate.tables.deliveries import ready
from headgate.tables.replay_sources import Source
from headgate.tables.replay_work import Hindrance, Job, Page, ReplayWork
from headgate.tables.replays import Which

log = structlog.get_logger(__name__)


class Replayer:
    """Works on all replays that are due, together with other workers, each page by one of them.

    A page is read behind the place that the replay has reached, its deliveries are stored and
    published, and only then the place moves. Whoever repeats a page after a crash makes the same
    deliveries with the same tokens, so nothing is skipped and nothing doubled (08 R27).
    """

    def __init__(
        self,
        settings: Settings,
        work: ReplayWork,
        sources: Mapping[Which, Source],
        bus: Bus,
        configuration: ConfigurationCopy,
    ) -> None:
        self._settings = settings
        self._work = work
        self._sources = sources
        self._bus = bus
        self._configuration = configuration
        self._poll_s = settings.replay_poll_ms / 1000
        self._places = asyncio.Semaphore(settings.replay_pages_max)
        self._waiting = False
        """Whether the store did not answer when it was last asked."""
        self.counted = 0
        """Events that this process has counted."""
        self.sent = 0
        """Deliveries that this process has put on the log."""

    async def run(self) -> None:
        """Work for ever; whatever is away is waited for."""
        async with asyncio.TaskGroup() as pages:
            while True:
                await self._places.acquire()
                job = await self._taken()
                if job is None:
                    self._places.release()
                    await asyncio.sleep(self._poll_s)
                else:
                    pages.create_task(self._worked(job), name=f"replay-{job.id}")

    async def _taken(self) -> Job | None:
        if not self._bus.available:
            return None
        try:
            job = await self._work.take()
        except Unavailable as error:
            if not self._waiting:
                log.warning("replays wait", reason=str(error))
            self._waiting = True
            return None
        self._waiting = False
        return job

    async def _worked(self, job: Job) -> None:
        try:
            await self._work_on(job)
        except Unavailable as error:
            log.warning("replay goes on later", replay_id=job.id, reason=str(error))
        except Exception:  # one replay must not end the process; it is taken again after its lease
            log.exception("replay failed in here", replay_id=job.id)
        finally:
            self._places.release()

    async def _work_on(self, job: Job) -> None:
        """One page, if nothing is in its way."""
        endpoint = self._configuration.now.endpoints.get(job.endpoint_id)
        hindrance = replay_work.hindrance(job, endpoint)
        if hindrance is not None:
            await self._hinder(job, hindrance)
            return
        source = self._sources[job.which]
        if job.begins is None:
            begins = await source.begins(job)
            if not await self._work.begin(job, begins):
                return
            job = replace(job, begins=begins, reached=begins)
        if job.status == "counting":
            await self._count(job, source)
        else:
            await self._send_next(job, source)

    async def _hinder(self, job: Job, hindrance: Hindrance) -> None:
        if hindrance.status is None:
            await self._work.put_off(job, hindrance.put_off_s)
        else:
            log.info("replay stopped", replay_id=job.id, reason=hindrance.reason)
            await self._work.stop(job, hindrance.status, hindrance.reason)

    async def _count(self, job: Job, source: Source) -> None:
        page = await source.page(job, job.reached or "", self._settings.replay_page_max)
        await self._work.counted(job, page)
        self.counted += len(page.events)

    async def _send_next(self, job: Job, source: Source) -> None:
        """The next page, unless the endpoint is too far behind with the one before."""
        most = self._settings.replay_page_max
        if await self._work.untried(job) > most // 2:
            await self._work.put_off(job, replay_work.wait_s(job.idle_s))
            return
        limit = replay_work.page_size(job.rate_per_s, most)
        page = await source.page(job, job.reached or "", limit)
        if not page.events or await self._publish(job, page):
            await self._work.sent(job, page)
            self.sent += len(page.events)

    async def _publish(self, job: Job, page: Page) -> bool:
        """Whether the page is on the log; False when the replay is another's now, or over."""
        begun = await self._work.want(job, page)
        if begun is None:
            return False
        reach("replay.stored")
        at_ms = round(begun.at.timestamp() * 1000)
        wanted = [replay_work.wanted(job, event, at_ms) for event in page.events]
        await self._bus.publish_until_acked(
            [
                ready(one, self._settings, repeated=one.delivery_id not in begun.fresh)
                for one in wanted
            ]
        )
        reach("replay.published")
        return True
