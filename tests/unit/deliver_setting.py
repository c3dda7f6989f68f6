"""A Deliver with a receiver, a store and a log that tests look into."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from headgate.agents.attempt import Poster
from headgate.agents.attempts_known import AttemptsKnown
from headgate.agents.deliver import Deliver
from headgate.agents.lanes import Lanes
from headgate.agents.telling import Telling
from headgate.streams.bus import Bus, Record
from headgate.streams.codec import decode
from headgate.streams.deliveries import (
    ATTEMPT_MADE,
    DELIVERY_NOTED,
    DELIVERY_WANTED,
    NOTICE,
    AttemptMade,
    DeliveryNoted,
    DeliveryWanted,
)
from headgate.streams.engine.intake import Delivered, Event
from headgate.streams.errors import StoreUnavailable
from headgate.streams.outbound.transport import Answer
from headgate.streams.secrets import SecretBox, draw_secret_key, draw_webhook_secret
from headgate.streams.settings import Settings
from headgate.tables.configuration import Endpoint
from headgate.tables.deliveries import ready, scheduled_token
from headgate.tables.deliveries_store import DeliveryStore, Known

BOX = SecretBox(draw_secret_key())
SECRET = draw_webhook_secret()
ENDPOINT = Endpoint(
    id="ep_1",
    merchant_id="mer_1",
    mode="test",
    is_default=True,
    url="https://shop.example/hook",
    sealed_secret=BOX.seal(SECRET),
    event_types=("payment.success",),
    enabled=True,
)
SETTINGS = Settings(
    webhook_in_flight_max=16, webhook_endpoint_in_flight_max=2, webhook_lane_wait_ms=10
)
WANTED = DeliveryWanted(
    delivery_id="dlv_1",
    event_id="evt_1",
    endpoint_id="ep_1",
    merchant_id="mer_1",
    payment_id="pay_1",
    mode="test",
    type="payment.success",
    token=scheduled_token("dlv_1", 1),
    body='{"id":"evt_1","note":"žluť"}',
    created_at_ms=1,
)


def answer(status: int, body: bytes = b"ok") -> Answer:
    return Answer(status, [], body, False, 0, 1, 2)


@dataclass
class Receiver:
    """A sender whose receiver answers as told, and that can be held up."""

    answers: list[Answer | Exception] = field(default_factory=list)
    posts: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout_ms: int,
        *,
        livemode: bool = False,
    ) -> Answer:
        assert not livemode
        assert timeout_ms == SETTINGS.webhook_timeout_ms
        self.posts.append((url, body, headers))
        await self.gate.wait()
        said = self.answers.pop(0) if self.answers else answer(200)
        if isinstance(said, Exception):
            raise said
        return said


@dataclass
class Store:
    """What is on record; None is a PostgreSQL that is away."""

    known_by_token: dict[str, Known] | None = field(default_factory=dict)
    asked: int = 0

    async def known(self, wanted: Sequence[DeliveryWanted]) -> list[Known]:
        self.asked += 1
        if self.known_by_token is None:
            raise StoreUnavailable("away")
        return [self.known_by_token.get(one.token, Known()) for one in wanted]


@dataclass
class Log:
    """What was published, one list per publish."""

    publishes: list[list[Record]] = field(default_factory=list)

    async def publish_until_acked(self, records: Sequence[Record]) -> None:
        await asyncio.sleep(0)
        self.publishes.append(list(records))

    @property
    def records(self) -> list[Record]:
        return [record for publish in self.publishes for record in publish]

    def attempts(self) -> list[AttemptMade]:
        return [
            decode(ATTEMPT_MADE, record.value)
            for record in self.records
            if record.topic == "webhooks.attempts" and NOTICE not in dict(record.headers)
        ]

    def notices(self) -> list[DeliveryNoted]:
        return [
            decode(DELIVERY_NOTED, record.value)
            for record in self.records
            if NOTICE in dict(record.headers)
        ]

    def later(self) -> list[tuple[DeliveryWanted, dict[str, bytes]]]:
        return [
            (decode(DELIVERY_WANTED, record.value), dict(record.headers))
            for record in self.records
            if record.topic.startswith("delay.") or record.topic == "webhooks.ready"
        ]


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class House:
    """A Deliver and what is around it."""

    def __init__(self, endpoint: Endpoint | None = ENDPOINT, settings: Settings = SETTINGS) -> None:
        self.settings = settings
        self.receiver, self.store, self.log, self.clock = Receiver(), Store(), Log(), Clock()
        self.receiver.gate.set()
        self.endpoints = {endpoint.id: endpoint} if endpoint else {}
        self.poster = Poster(settings, self.receiver, BOX)
        self.offset = 6
        self.restart()

    def find(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint as it is configured now."""
        return self.endpoints.get(endpoint_id)

    def restart(self) -> None:
        """Another process, that remembers nothing."""
        self.lanes = Lanes(self.settings, self.clock)
        self.deliver = Deliver(
            self.settings,
            AttemptsKnown(cast("DeliveryStore", self.store), batch_max=200),
            Telling(self.settings, cast("Bus", self.log)),
            self.find,
            self.poster,
            self.lanes,
        )

    async def handle(
        self,
        wanted: DeliveryWanted = WANTED,
        *,
        redelivered: bool = False,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        self.offset += 1
        await self.deliver.handle(delivered(wanted, headers or {}, self.offset), redelivered)

    async def command(self, record: Record) -> None:
        """Handle a record as it was made for `webhooks.ready`."""
        self.offset += 1
        event = cast("Event", None)
        headers = dict(record.headers)
        took = ("webhooks.ready", record.partition, self.offset, record.key, record.value)
        await self.deliver.handle(Delivered(*took, headers, 1, event), False)


def delivered(wanted: DeliveryWanted, headers: Mapping[str, bytes], offset: int = 7) -> Delivered:
    """A record as the loop hands it over."""
    record = ready(wanted, SETTINGS)
    return Delivered(
        "webhooks.ready",
        record.partition,
        offset,
        record.key,
        record.value,
        headers,
        1,
        cast("Event", None),
    )
