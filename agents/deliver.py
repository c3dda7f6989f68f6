"""Deliver: wanted attempts are posted once, and told to the log together with what follows."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence
from http import HTTPStatus

import structlog

from headgate.agents.attempt import DISABLED, Posted, Poster
from headgate.agents.keyring import Keys
from headgate.agents.lanes import Lanes, Place
from headgate.streams.bus import Bus, Record
from headgate.streams.clock import now_ms
from headgate.streams.coalesce import Coalescer
from headgate.streams.codec import SCHEMA_VERSION, dead_letter, decode, header
from headgate.streams.crashpoints import reach
from headgate.streams.delays import delayed
from headgate.streams.deliveries import DELIVERY_WANTED, DeliveryWanted
from headgate.streams.engine.intake import Delivered
from headgate.streams.errors import CannotDecode, SecretUnreadable, StoreUnavailable
from headgate.streams.settings import Settings
from headgate.streams.topics import WEBHOOKS_READY
from headgate.tables import deliveries
from headgate.tables.configuration import ConfigurationCopy, Endpoint
from headgate.tables.deliveries import HELD, REPEATED, Outcome, Successor, Trace
from headgate.tables.deliveries_store import DeliveryStore, Known
from headgate.tables.postgres import RowRefused
from headgate.tables.schedules import waits_of

log = structlog.get_logger(__name__)

RECENT_MAX = 20_000
"""Tokens of finished attempts that are remembered, so that a repeat costs nothing."""
STORE_AWAY_S = 5.0
"""After PostgreSQL did not answer, attempts are made unchecked for so long."""
CROWDED_MS = (1000, 5000, 30_000)
"""How long a delivery is held up whose endpoint has no place, the first, second and further times:
a backlog must not circle through the shortest tier (04 §9.6)."""
SOON_MS = (1000,)
"""How long a delivery is held up that will find a place in a moment."""
SLOW_DOWN = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
"""Answers by which a receiver asks for less: its lane's rate is halved."""
UNREADY_MS = (1000, 5000, 30_000, 60_000, 300_000)
"""How long a delivery is held up whose endpoint, or its secret, this process does not know."""


class Deliver:
    """Handler of the loop on `webhooks.ready`: at least one attempt per token, nearly always one.

    A token that was seen lately is dropped; one that an earlier owner may have seen is looked up.
    An attempt on record is not posted again, but its successor is told again, so that a chain
    neither forks nor ends (08 R27). With PostgreSQL away attempts are made unchecked. An endpoint
    without a place, or unknown to this process, holds up its deliveries through the delay topics,
    which is no attempt; a disabled one fails them, to be retried by hand.
    """

    def __init__(
        self,
        settings: Settings,
        store: DeliveryStore,
        bus: Bus,
        configuration: ConfigurationCopy,
        poster: Poster,
    ) -> None:
        self._settings = settings
        self._store = store
        self._bus = bus
        self._configuration = configuration
        self._poster = poster
        self._lanes = Lanes(settings)
        most = settings.batch_max
        self._known = Coalescer[DeliveryWanted, Known](self._look_up, batch_max=most)
        self._outputs = Coalescer[Sequence[Record], None](self._publish, batch_max=most)
        self._recent: OrderedDict[str, None] = OrderedDict()
        self._under_way: dict[str, asyncio.Future[None]] = {}
        self._store_away_until = 0.0
        self.made: Counter[str] = Counter()
        """Attempts by kind of outcome."""
        self.held = 0
        """How often a delivery was held up without an attempt."""

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
            await self._outputs.submit([self._dead(record, str(error))])
            return
        while (earlier := self._under_way.get(wanted.token)) is not None:
            await asyncio.wait({earlier})
        if wanted.token in self._recent:
            return
        under_way = asyncio.get_running_loop().create_future()
        self._under_way[wanted.token] = under_way
        try:
            repeated = redelivered or header(record.headers, REPEATED) is not None
            if await self._done(record, wanted, repeated=repeated):
                self._remember(wanted.token)
        finally:
            del self._under_way[wanted.token]
            under_way.set_result(None)

    async def _done(self, record: Delivered, wanted: DeliveryWanted, *, repeated: bool) -> bool:
        """Whether the attempt is on the log, or need not be made; False when it was held up."""
        if repeated or wanted.attempt > 1:
            known = await self._known.submit(wanted)
            if known.recorded:
                await self._tell_successor_again(wanted, known)
                return True
            if known.delivered and not wanted.manual:
                return True
        posted = await self._post(wanted)
        if isinstance(posted, Posted):
            await self._tell(wanted, posted)
            return True
        await self._hold(record, posted, repeated=repeated)
        return False

    async def _post(self, wanted: DeliveryWanted) -> Posted | tuple[int, ...]:
        """The attempt, or for how long it must be held up."""
        endpoint = self._configuration.now.endpoints.get(wanted.endpoint_id)
        keys = self._keys_of(endpoint)
        if endpoint is None or keys is None:
            return UNREADY_MS
        if not endpoint.enabled:
            return Posted(endpoint, DISABLED, Trace(now_ms()))
        place = await self._lanes.enter(endpoint, asked=wanted.manual)
        if not isinstance(place, Place):
            return SOON_MS if place == "soon" else CROWDED_MS
        said: Outcome | None = None
        try:
            posted = await self._poster.post(endpoint, keys, wanted)
            said = posted.outcome if posted else None
        finally:
            slow_down = said is not None and said.status_code in SLOW_DOWN
            self._lanes.leave(place, deliveries.tells(said), slow_down=slow_down)
        reach("deliver.posted")
        return posted or CROWDED_MS

    def _keys_of(self, endpoint: Endpoint | None) -> Keys | None:
        try:
            return self._poster.keys_of(endpoint) if endpoint else None
        except SecretUnreadable as error:
            log.critical("deliveries wait", endpoint=endpoint and endpoint.id, reason=str(error))
            return None

    async def _tell(self, wanted: DeliveryWanted, posted: Posted) -> None:
        """The attempt and what follows it, in one publish."""
        waits = waits_of(posted.endpoint, self._settings)
        following = deliveries.next_wanted(wanted, posted.outcome, now_ms(), waits)
        made = deliveries.attempt_made(wanted, posted.outcome, posted.trace, following)
        outputs = [deliveries.made_record(made, self._settings)]
        if following is not None:
            outputs.append(self._later(following))
        self.made[made.kind] += 1
        await self._outputs.submit(outputs)
        reach("deliver.told")

    async def _tell_successor_again(self, wanted: DeliveryWanted, known: Known) -> None:
        """An earlier owner may have died between the two; the same successor has the same token."""
        if known.next_attempt is not None and known.next_at_ms is not None and not known.delivered:
            following = deliveries.successor(wanted, known.next_attempt, known.next_at_ms)
            await self._outputs.submit([self._later(following, repeated=True)])

    def _later(self, following: Successor, *, repeated: bool = False) -> Record:
        record = deliveries.ready(following.wanted, self._settings, repeated=repeated)
        return delayed(record, following.not_before_ms, now_ms(), self._settings)

    async def _hold(self, record: Delivered, holds_ms: Sequence[int], *, repeated: bool) -> None:
        """Send the delivery around through a delay topic; longer each time."""
        text = header(record.headers, HELD) or ""
        times = int(text) if text.isdecimal() and len(text) <= 4 else 0  # noqa: PLR2004
        again = Record(
            topic=WEBHOOKS_READY.full_name(self._settings),
            partition=record.partition,
            key=record.key,
            value=record.value,
            headers=(
                ("v", SCHEMA_VERSION),
                (HELD, b"%d" % (times + 1)),
                *([(REPEATED, b"1")] if repeated else []),
            ),
        )
        self.held += 1
        at_ms = now_ms()
        until_ms = at_ms + holds_ms[min(times, len(holds_ms) - 1)]
        await self._outputs.submit([delayed(again, until_ms, at_ms, self._settings)])

    def _remember(self, token: str) -> None:
        self._recent[token] = None
        if len(self._recent) > RECENT_MAX:
            self._recent.popitem(last=False)

    async def _publish(self, groups: Sequence[Sequence[Record]]) -> list[None]:
        await self._bus.publish_until_acked([record for group in groups for record in group])
        return [None] * len(groups)

    async def _look_up(self, wanted: Sequence[DeliveryWanted]) -> Sequence[Known]:
        if time.monotonic() >= self._store_away_until:
            try:
                return await self._store.known(wanted)
            except (StoreUnavailable, RowRefused) as error:
                log.warning("attempts are made unchecked", reason=str(error))
                self._store_away_until = time.monotonic() + STORE_AWAY_S
        return [Known()] * len(wanted)

    def _dead(self, record: Delivered, reason: str) -> Record:
        origin = record.as_record(WEBHOOKS_READY.full_name(self._settings))
        return dead_letter(WEBHOOKS_READY, self._settings, origin, record.offset, reason)
