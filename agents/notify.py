"""Notify: events are matched to the endpoints that want them; the body is the event's own bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import structlog
from pydantic import ValidationError

from headgate.streams import ids
from headgate.streams.bus import Bus, Record
from headgate.streams.clock import from_iso
from headgate.streams.codec import dead_letter, header
from headgate.streams.commands import Mode
from headgate.streams.crashpoints import reach
from headgate.streams.deliveries import DeliveryWanted
from headgate.streams.engine.batch import Batch
from headgate.streams.engine.intake import Delivered
from headgate.streams.errors import CannotDecode, StoreUnavailable
from headgate.streams.event_filters import filters_of
from headgate.streams.facts import mode_of
from headgate.streams.operational_events import TARGET
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_FACTS, Topic
from headgate.tables.configuration import Configuration, ConfigurationCopy, Endpoint
from headgate.tables.deliveries import ready, scheduled_token
from headgate.tables.deliveries_store import DeliveryStore
from headgate.tables.isolation import isolated

log = structlog.get_logger(__name__)

ROUNDS_MAX = 10
"""How often one batch is matched anew because the configuration changed meanwhile."""


@dataclass(frozen=True, slots=True)
class About:
    """What an event's headers say, so that one that nobody wants is never decoded."""

    event_id: str
    type: str
    merchant_id: str
    mode: Mode
    at_ms: int
    """When it happened. Not when the record was written: it may be told twice, and the time is part
    of the delivery's key."""
    endpoint_id: str | None = None
    """The one endpoint that it is for; None for all that ask for its type."""


@dataclass(slots=True)
class Matched:
    """A batch matched with one configuration."""

    version: int
    wanted: list[DeliveryWanted] = field(default_factory=list)
    dead: list[Record] = field(default_factory=list)


class Notify:
    """Handler of the loop on facts. Handling an event twice equals handling it once, by
    `delivery_id` and the derived token: the first attempt is told again, marked, and deliver looks
    it up.

    PostgreSQL away stops the loop: no events are made without it either, so that an event is always
    matched with a configuration at least as new as itself (08 R30, docs/decisions/0011).
    """

    topic: ClassVar[Topic] = PAYMENT_FACTS

    def __init__(
        self,
        settings: Settings,
        store: DeliveryStore,
        bus: Bus,
        configuration: ConfigurationCopy,
    ) -> None:
        self._settings = settings
        self._store = store
        self._bus = bus
        self._configuration = configuration
        self._endpoints = EndpointIndex(Configuration())

    async def handle(self, batch: Batch) -> None:
        """Match, store, publish. Raises Unavailable (try the same batch again), ClaimLost."""
        await isolated(batch, self._notify, self._refuse)

    async def _refuse(self, batch: Batch, reason: str) -> None:
        """08 R6: the only record of the batch is one that PostgreSQL will never take."""
        offset = batch.records[0].offset
        log.error("event refused", topic=self.topic.name, offset=offset, reason=reason)
        await self._store_matched(batch, [])
        await self._bus.publish_until_acked([self._dead(batch.records[0], reason)])

    async def _notify(self, batch: Batch) -> None:
        matched, fresh = await self._store_matched(batch, batch.records)
        reach("notify.stored")
        outputs = [
            ready(one, self._settings, repeated=one.delivery_id not in fresh)
            for one in matched.wanted
        ]
        outputs += matched.dead
        if outputs:
            await self._bus.publish_until_acked(outputs)
        reach("notify.published")

    async def _store_matched(
        self, batch: Batch, records: Sequence[Delivered]
    ) -> tuple[Matched, frozenset[str]]:
        """The deliveries, and which of them are new; matched with the configuration as it was
        when they were stored."""
        for _ in range(ROUNDS_MAX):
            matched = self._match(records)
            stored = await self._store.want(
                batch.claims, batch.positions(), matched.version, matched.wanted, self.topic
            )
            if stored.version == matched.version:
                return matched, stored.fresh
            await self._configuration.refresh()
        raise StoreUnavailable(f"the configuration changed {ROUNDS_MAX} times meanwhile")

    def _match(self, records: Sequence[Delivered]) -> Matched:
        configuration = self._configuration.now
        if configuration is not self._endpoints.configuration:
            self._endpoints = EndpointIndex(configuration)
        matched = Matched(configuration.version)
        for record in records:
            try:
                about = about_event(record)
                matched.wanted += [
                    wanted_by(endpoint, about, record, self._payment_of(record))
                    for endpoint in self._endpoints.of(about)
                ]
            except CannotDecode as error:
                matched.dead.append(self._dead(record, str(error)))
        return matched

    def _dead(self, record: Delivered, reason: str) -> Record:
        origin = record.as_record(self.topic.full_name(self._settings))
        return dead_letter(self.topic, self._settings, origin, record.offset, reason)

    def _payment_of(self, record: Delivered) -> str | None:
        """The payment that the event is about. Raises CannotDecode."""
        return _text(record.key)


class EndpointIndex:
    """The enabled endpoints of one configuration, by whom and what they are for."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._found: dict[tuple[str, str, str], list[Endpoint]] = {}
        for endpoint in configuration.endpoints.values():
            wanted = endpoint.event_types if endpoint.enabled and not endpoint.deleted else ()
            for event_filter in wanted:
                key = (endpoint.merchant_id, endpoint.mode, event_filter)
                self._found.setdefault(key, []).append(endpoint)

    def of(self, about: About) -> list[Endpoint]:
        """The endpoints that want this event, each once."""
        if about.endpoint_id is not None:
            return self._target(about)
        found: dict[str, Endpoint] = {}
        for event_filter in filters_of(about.type):
            for endpoint in self._found.get((about.merchant_id, about.mode, event_filter), ()):
                found[endpoint.id] = endpoint
        return list(found.values())

    def _target(self, about: About) -> list[Endpoint]:
        endpoint = self.configuration.endpoints.get(about.endpoint_id or "")
        whose = (about.merchant_id, about.mode)
        fits = endpoint is not None and (endpoint.merchant_id, endpoint.mode) == whose
        return [endpoint] if endpoint is not None and fits and not endpoint.deleted else []


def about_event(record: Delivered) -> About:
    """What the record's headers say. Raises CannotDecode when one is missing."""
    event_id, event_type, merchant_id, livemode = (
        header(record.headers, name) for name in ("ce_id", "ce_type", "merchant-id", "livemode")
    )
    if not (event_id and event_type and merchant_id and livemode):
        raise CannotDecode("an event needs the headers ce_id, ce_type, merchant-id and livemode")
    mode, target = mode_of(livemode == "true"), header(record.headers, TARGET)
    return About(event_id, event_type, merchant_id, mode, _at_ms(record), target)


def _at_ms(record: Delivered) -> int:
    told = header(record.headers, "ce_time")
    try:
        return record.timestamp_ms if told is None else from_iso(told)
    except ValueError:
        raise CannotDecode("the header ce_time is no time with its offset") from None


def wanted_by(
    endpoint: Endpoint, about: About, record: Delivered, payment_id: str | None
) -> DeliveryWanted:
    """The first attempt of the event's delivery to the endpoint. Raises CannotDecode when the event
    is not text, since its bytes could not be told unchanged, or has ids or a time out of bounds."""
    try:
        return _wanted(endpoint, about, record, payment_id, _text(record.value or b""))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise CannotDecode(f"{first['loc'][0]}: {first['msg']}") from None


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise CannotDecode(f"the event is not UTF-8: {error.reason}") from None


def _wanted(
    endpoint: Endpoint, about: About, record: Delivered, payment_id: str | None, body: str
) -> DeliveryWanted:
    delivery_id = ids.delivery_id(about.event_id, endpoint.id)
    return DeliveryWanted(
        delivery_id=delivery_id,
        event_id=about.event_id,
        endpoint_id=endpoint.id,
        merchant_id=about.merchant_id,
        payment_id=payment_id,
        mode=about.mode,
        type=about.type,
        token=scheduled_token(delivery_id, 1),
        body=body,
        created_at_ms=about.at_ms,
    )
