"""The matching of operational events: as facts are matched, with bodies that are kept first."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from headgate.agents.notify import Notify, about_event
from headgate.streams.bus import Bus
from headgate.streams.clock import iso
from headgate.streams.engine.batch import Batch
from headgate.streams.engine.intake import Delivered
from headgate.streams.errors import CannotDecode
from headgate.streams.operational_events import EventBytes
from headgate.streams.settings import Settings
from headgate.streams.topics import WEBHOOKS_EVENTS, Topic
from headgate.tables.configuration import ConfigurationCopy
from headgate.tables.deliveries_store import DeliveryStore
from headgate.tables.webhook_events import WebhookEvents


class NotifyOperational(Notify):
    """Handler of the loop on `webhooks.events`. An event that is told twice, even with other
    bytes (a test that was asked for twice under one key), is delivered once, with the first."""

    topic: ClassVar[Topic] = WEBHOOKS_EVENTS

    def __init__(
        self,
        settings: Settings,
        store: DeliveryStore,
        bus: Bus,
        configuration: ConfigurationCopy,
        events: WebhookEvents,
    ) -> None:
        super().__init__(settings, store, bus, configuration)
        self._events = events

    async def _notify(self, batch: Batch) -> None:
        told = {id(record): event_of(record) for record in batch.records}
        kept = await self._events.keep([event for event in told.values() if event is not None])
        records = []
        for record in batch.records:
            event = told[id(record)]
            records.append(record if event is None else with_bytes(record, kept[event.event_id]))
        await super()._notify(Batch(records, batch.claims))

    def _payment_of(self, record: Delivered) -> str | None:
        del record
        return None


def event_of(record: Delivered) -> EventBytes | None:
    """The event of a record; None when its headers or its time make no sense: matching will
    refuse it with the reason."""
    try:
        about = about_event(record)
        iso(about.at_ms)
    except (CannotDecode, ValueError, OverflowError):
        return None
    return EventBytes(
        event_id=about.event_id,
        type=about.type,
        merchant_id=about.merchant_id,
        mode=about.mode,
        created_at_ms=about.at_ms,
        payload=record.value or b"",
        endpoint_id=about.endpoint_id,
    )


def with_bytes(record: Delivered, event: EventBytes) -> Delivered:
    """The record with the bytes and the time that its event was first told with."""
    headers = {**record.headers, "ce_time": iso(event.created_at_ms).encode()}
    return replace(record, value=event.payload, headers=headers)
