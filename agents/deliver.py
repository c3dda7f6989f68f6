"""Deliver: wanted attempts are posted once, and told to the log together with what follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

import structlog

from headgate.agents.attempt import DISABLED, Posted, Poster
from headgate.agents.attempts_known import AttemptsKnown
from headgate.agents.keyring import Keys
from headgate.agents.lanes import Lanes, Place, Refusal
from headgate.agents.remembered import Remembered
from headgate.agents.telling import Telling, blocks, number_of
from headgate.streams.clock import now_ms
from headgate.streams.codec import decode, header
from headgate.streams.crashpoints import reach
from headgate.streams.deliveries import CANCEL, DELIVERY_WANTED, DeliveryWanted, Why
from headgate.streams.engine.intake import Delivered
from headgate.streams.errors import CannotDecode, SecretUnreadable
from headgate.streams.settings import Settings
from headgate.tables import deliveries
from headgate.tables.configuration import Endpoint
from headgate.tables.deliveries import CIRCLED, HELD, REPEATED, Outcome
from headgate.tables.schedules import waits_of

log = structlog.get_logger(__name__)

RECENT_MAX = 20_000
"""Tokens of finished attempts that are remembered, so that a repeat costs nothing."""
CLOSED_MAX = 20_000
"""Deliveries that are remembered because a command ended them: nothing of theirs follows."""
SOON_MS = (1000,)
"""How long a delivery goes around that will find a place in a moment."""
UNREADY_MS = (1000, 5000)
"""How long a delivery goes around whose endpoint, or its secret, this process does not know yet,
the first time and the second. Then it is held."""
SLOW_DOWN = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
"""Answers by which a receiver asks for less: its lane's rate is halved."""


class Asked(NamedTuple):
    """A wanted attempt on its way through here."""

    record: Delivered
    wanted: DeliveryWanted
    repeated: bool
    """An earlier record may have told of it already."""


class Deliver:
    """Handler of the loop on `webhooks.ready`: at least one attempt per token, nearly always one.

    A token that was seen lately is dropped; one that an earlier owner may have seen is looked up.
    An attempt on record is not posted again, but its successor is told again, so that a chain
    neither forks nor ends (08 R27). With PostgreSQL away attempts are made unchecked. What cannot
    go now is told as held, parked or canceled, which is no attempt, and is out of the way.
    """

    def __init__(
        self,
        settings: Settings,
        known: AttemptsKnown,
        telling: Telling,
        endpoint: Callable[[str], Endpoint | None],
        poster: Poster,
        lanes: Lanes,
    ) -> None:
        """`endpoint` finds one by its id, as far as it is known here."""
        self._settings = settings
        self._endpoint = endpoint
        self._poster = poster
        self._lanes = lanes
        self.on_gone: list[Callable[[Endpoint], None]] = []
        """Told of endpoints that want no more webhooks (410)."""
        self._known = known
        self.telling = telling
        self._recent = Remembered(RECENT_MAX)
        self._closed = Remembered(CLOSED_MAX)
        self._under_way: dict[str, asyncio.Future[None]] = {}

    @property
    def lanes(self) -> Lanes:
        """Who may post, and how much at a time."""
        return self._lanes

    async def handle(self, record: Delivered, redelivered: bool) -> None:
        """Make the attempt, unless it was made, and tell it. Never raises Unavailable: what was
        posted must not be posted again because the log is away, so it waits for the log."""
        try:
            wanted = decode(DELIVERY_WANTED, record.value)
        except CannotDecode as error:
            await self.telling.dead(record, str(error))
            return
        while (earlier := self._under_way.get(wanted.token)) is not None:
            await asyncio.wait({earlier})
        if wanted.token in self._recent:
            return
        repeated = redelivered or header(record.headers, REPEATED) is not None
        under_way = asyncio.get_running_loop().create_future()
        self._under_way[wanted.token] = under_way
        try:
            if await self._done(Asked(record, wanted, repeated)):
                self._recent.add(wanted.token)
        finally:
            del self._under_way[wanted.token]
            under_way.set_result(None)

    async def _done(self, asked: Asked) -> bool:
        """Whether the attempt is on the log, or need not be made; False when it is still wanted."""
        wanted = asked.wanted
        if header(asked.record.headers, CANCEL) is not None:
            return await self._cancel(asked, "asked")
        if await self._is_over(asked):
            self._lanes.passed(wanted.endpoint_id, wanted.delivery_id)
            return True
        endpoint = self._endpoint(wanted.endpoint_id)
        if endpoint is not None and endpoint.deleted:
            return await self._cancel(asked, "deleted")
        if endpoint is not None and not endpoint.enabled:
            return await self._not_enabled(asked, endpoint)
        keys = self._keys_of(endpoint)
        if endpoint is None or keys is None:
            return await self._not_ready(asked)
        return await self._attempt(asked, endpoint, keys)

    async def _is_over(self, asked: Asked) -> bool:
        wanted = asked.wanted
        if self._is_closed(wanted):
            return True
        if not (asked.repeated or wanted.attempt > 1):
            return False
        known = await self._known.of(wanted)
        if known.recorded:
            await self.telling.successor_again(wanted, known)
        return known.recorded or (known.delivered and not wanted.manual)

    def _is_closed(self, wanted: DeliveryWanted) -> bool:
        return not wanted.manual and wanted.delivery_id in self._closed

    async def _attempt(self, asked: Asked, endpoint: Endpoint, keys: Keys) -> bool:
        released = header(asked.record.headers, HELD) is not None
        wanted = asked.wanted
        place = await self._lanes.enter(
            endpoint, wanted.delivery_id, asked=wanted.manual, released=released
        )
        if not isinstance(place, Place):
            return await self._refused(asked, endpoint, place)
        if self._is_closed(wanted):  # while it waited
            self._lanes.leave(place, "unknown")
            self._lanes.passed(wanted.endpoint_id, wanted.delivery_id)
            return True
        return await self._make(asked, endpoint, keys, place)

    async def _make(self, asked: Asked, endpoint: Endpoint, keys: Keys, place: Place) -> bool:
        """Post it and tell it. Where the order matters the next one waits until that is told."""
        said: Outcome | None = None
        done = False
        try:
            posted = await self._poster.post(endpoint, keys, asked.wanted)
            reach("deliver.posted")
            said = posted.outcome if posted else None
            if posted and endpoint.fifo:
                done = await self._tell(asked, posted, place)
        finally:
            # Too much under way to its address, of this lane and of others, slows it down as well.
            slow_down = said is None or said.status_code in SLOW_DOWN
            self._lanes.leave(place, deliveries.tells(said), slow_down=slow_down)
        if posted is None:
            return await self._refused(asked, endpoint, "crowded")
        return done if endpoint.fifo else await self._tell(asked, posted, place)

    async def _tell(self, asked: Asked, posted: Posted, place: Place) -> bool:
        """The attempt and what follows it; False after a probe, which uses up no try (08 R29)."""
        wanted, outcome, endpoint = asked.wanted, posted.outcome, posted.endpoint
        if outcome.status_code == HTTPStatus.GONE:
            for tell in self.on_gone:
                tell(endpoint)
        if place.how == "probe" and not wanted.manual and deliveries.tells(outcome) == "failed":
            self._lanes.held(endpoint.id)
            self._lanes.of(endpoint.id).run.clear()
            await self.telling.probe(asked.record, wanted, posted)
            return False
        waits = waits_of(endpoint, self._settings)
        following = deliveries.next_wanted(wanted, outcome, now_ms(), waits)
        if self._is_closed(wanted):
            following = None  # a stale failure schedules nothing (08 R28)
        if wanted.manual and outcome.kind == "success":
            self._closed.add(wanted.delivery_id)
        await self.telling.attempt(asked.record, wanted, posted, following)
        if endpoint.fifo:
            self._next_in_order(wanted, posted, ended=following is None)
        return True

    def _next_in_order(self, wanted: DeliveryWanted, posted: Posted, *, ended: bool) -> None:
        if wanted.manual and posted.outcome.kind != "success":
            return  # its schedule goes on
        if ended and not blocks(wanted, posted):
            self._lanes.passed(wanted.endpoint_id, wanted.delivery_id)
        else:
            self._lanes.of(wanted.endpoint_id).run.stop()

    async def _refused(self, asked: Asked, endpoint: Endpoint, refusal: Refusal) -> bool:
        if refusal == "soon" and not endpoint.fifo:
            await self.telling.circle(asked.record, SOON_MS, repeated=asked.repeated)
            return False
        self._lanes.held(endpoint.id)
        if endpoint.fifo and refusal != "fifo":
            self._lanes.of(endpoint.id).run.clear()
        why: Why = "crowded" if refusal == "soon" else refusal
        await self.telling.note(asked.record, asked.wanted, "held", why, fifo=endpoint.fifo)
        return False

    async def _not_enabled(self, asked: Asked, endpoint: Endpoint) -> bool:
        """08 R31: parked until it is enabled. What a person asked for fails, so that they see."""
        if asked.wanted.manual:
            posted = Posted(endpoint, DISABLED, deliveries.Trace(now_ms()))
            await self.telling.attempt(asked.record, asked.wanted, posted, None)
            return True
        self._lanes.held(endpoint.id)
        await self.telling.note(
            asked.record, asked.wanted, "parked", "disabled", fifo=endpoint.fifo
        )
        return False

    async def _not_ready(self, asked: Asked) -> bool:
        """08 R31: what this process does not know yet is held, never dropped."""
        if number_of(asked.record, CIRCLED) < len(UNREADY_MS):
            await self.telling.circle(asked.record, UNREADY_MS, repeated=asked.repeated)
            return False
        self._lanes.held(asked.wanted.endpoint_id)
        await self.telling.note(asked.record, asked.wanted, "held", "unready")
        return False

    async def _cancel(self, asked: Asked, why: Why) -> bool:
        """No further attempt, also of what is under way, waits in a lane or in a delay topic."""
        wanted = asked.wanted
        self._closed.add(wanted.delivery_id)
        await self.telling.note(asked.record, wanted, "canceled", why)
        self._lanes.passed(wanted.endpoint_id, wanted.delivery_id)
        return True

    def _keys_of(self, endpoint: Endpoint | None) -> Keys | None:
        try:
            return self._poster.keys_of(endpoint) if endpoint else None
        except SecretUnreadable as error:
            log.critical("deliveries wait", endpoint=endpoint and endpoint.id, reason=str(error))
            return None
