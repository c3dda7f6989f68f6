"""`/api/v1/events`: everything that was told about a merchant's payments, for ever, in order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import get_args

from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.consistency import Consistency
from headgate.http.event_stream import EventStream, Start
from headgate.http.event_tip import Tip
from headgate.http.exchange import LIMIT_DEFAULT, Exchange
from headgate.http.pages import list_answer
from headgate.http.problems_of_requests import ParameterInvalid, ResourceMissing
from headgate.http.problems_of_services import Overloaded
from headgate.http.query import Query
from headgate.http.routing import json_answer
from headgate.streams.cards import quoted
from headgate.streams.clock import now_ms
from headgate.streams.facts import FactType
from headgate.streams.settings import Settings
from headgate.tables.acting import is_person
from headgate.tables.configuration import ApiKey, ConfigurationCopy
from headgate.tables.event_cursors import (
    GENESIS,
    Cursor,
    CursorUnreadableError,
    Place,
    decode,
    encode,
)
from headgate.tables.event_feed import Asked, Feed
from headgate.tables.postgres import Postgres

TYPES: tuple[FactType, ...] = get_args(FactType)
FROM_THE_BEGINNING, FROM_NOW = ("", "genesis"), "now"
"""What may stand for a cursor."""
EVENT_ID = re.compile(r"evt_[a-z2-7]{26}")
OBJECT_ID = re.compile(r"(pay|cap|void|rfnd|rev|inc)_[a-z2-7]{15,26}")


class Events:
    """`GET /events`, `GET /events/{id}` and `GET /events/stream`."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        consistency: Consistency,
        configuration: ConfigurationCopy,
        postgres: Postgres,
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._consistency = consistency
        self._configuration = configuration
        self._postgres = postgres
        self._feed = Feed(settings, postgres)
        self.tip = Tip(settings, consistency)

    async def listed(self, exchange: Exchange) -> Response:
        """A page of events, oldest first; `next_cursor` goes on from it, also later."""
        api_key = await self._authenticator.key_of(exchange, "events:read")
        query = Query(exchange)
        most = self._settings.page_size_max
        limit = query.whole("limit", LIMIT_DEFAULT, least=1, most=most)
        asked = _asked(query, api_key)
        given = query.one("after") or ""
        query.check_brackets()
        settled = await self._consistency.settled()
        try:
            cursor = self._cursor(given, settled)
        except CursorUnreadableError:
            raise ParameterInvalid(
                f"after is {quoted(given)}, which is no cursor of what is stored here; send a "
                "next_cursor, or genesis to begin with the oldest event.",
                param="after",
            ) from None
        page = await self._feed.page(asked, cursor, settled, limit)
        position = self._consistency.positions.show(settled)
        payloads = [event.payload for event in page.events]
        return list_answer(payloads, encode(page.cursor), position, more=page.more)

    async def show(self, exchange: Exchange) -> Response:
        """One event, byte for byte as every webhook has it."""
        api_key = await self._authenticator.key_of(exchange, "events:read")
        event_id = exchange.path("id")
        row = None
        if EVENT_ID.fullmatch(event_id):
            row = await self._postgres.fetch_row(
                "event", event_id, api_key.merchant_id, api_key.mode
            )
        if row is None:
            raise ResourceMissing(f"There is no event {quoted(event_id)}.")
        return json_answer(row["payload"])

    async def stream(self, exchange: Exchange) -> EventStream:
        """Events from now on, or from behind the cursor in `Last-Event-ID` or `after`."""
        api_key = await self._authenticator.key_of(exchange, "events:read")
        query = Query(exchange)
        asked = _asked(query, api_key)
        after = query.one("after")
        query.check_brackets()
        given = exchange.headers.get("last-event-id") or (FROM_NOW if after is None else after)
        most = self._settings.events_viewers_max
        settled = await self.tip.look()
        if self.tip.followers >= most or self.tip.closed:
            raise Overloaded(
                f"{most} viewers follow events here already; try again, or read /events.",
                retry_after_s=self._settings.retry_after_s,
            )
        return EventStream(
            self._feed, self.tip, asked, self._start(given, settled), lambda: self._stands(api_key)
        )

    def _start(self, given: str, settled: Mapping[int, int]) -> Start:
        """Where to begin; at the oldest event, and saying so, when the cursor leads nowhere."""
        try:
            return Start(self._cursor(given, settled))
        except CursorUnreadableError:
            return Start(GENESIS, "This is no cursor of what is stored here.")

    def _cursor(self, given: str, settled: Mapping[int, int]) -> Cursor:
        """The cursor behind a parameter. Raises CursorUnreadableError for one that is none, or that
        is ahead of what is stored: of another installation, or of one that was set back."""
        if given in FROM_THE_BEGINNING:
            return GENESIS
        if given == FROM_NOW:
            return {partition: Place(below) for partition, below in settled.items()}
        cursor = decode(given)
        for partition, place in cursor.items():
            if place > Place(settled.get(partition, 0)):
                raise CursorUnreadableError
        return cursor

    def _stands(self, api_key: ApiKey) -> bool:
        """Whether a key still may follow: it may have been revoked meanwhile."""
        keys = self._configuration.now.keys
        known = api_key if is_person(api_key.id) else keys.get(api_key.id)
        if known is None or known.revoked or "events:read" not in known.scopes:
            return False
        return known.expires_at_ms is None or known.expires_at_ms > now_ms()


def _asked(query: Query, api_key: ApiKey) -> Asked:
    """What the viewer wants to see. Raises ParameterInvalid."""
    types = query.words("types", TYPES)
    about = query.one("object")
    if about is not None and not OBJECT_ID.fullmatch(about):
        raise ParameterInvalid(
            f"object is {quoted(about)}; it must be the id of a payment, capture, void, refund, "
            "reversal or increment.",
            param="object",
        )
    return Asked(api_key.merchant_id, api_key.mode, tuple(types), about)
