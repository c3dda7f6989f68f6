"""Retry now and cancel: a repeat under one key asks for the same, and nobody is told a guess."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import orjson
import pytest

from headgate.http.auth import Authenticator
from headgate.http.delivery_commands import DeliveryCommands
from headgate.http.exchange import ROUTE, Exchange
from headgate.http.problems_of_deliveries import WebhookDeliveryNotFirst, WebhookDeliveryOver
from headgate.http.problems_of_replays import EndpointDisabled
from headgate.http.problems_of_services import OutcomeUnknown
from headgate.streams.bus import Bus, Position, Record
from headgate.streams.errors import LogUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey, Configuration, ConfigurationCopy, Endpoint
from headgate.tables.merchants import hash_secret
from headgate.tables.postgres import Postgres, Row

DELIVERY = "dlv_" + "a" * 26
ENDPOINT = Endpoint(
    id="whe_" + "a" * 26,
    merchant_id="mer_1",
    mode="test",
    is_default=False,
    url="https://shop.example/",
    sealed_secret="sealed",
    event_types=("*",),
    enabled=True,
)
ROW: dict[str, object] = {
    "id": DELIVERY,
    "event_id": "evt_" + "a" * 26,
    "endpoint_id": ENDPOINT.id,
    "merchant_id": "mer_1",
    "payment_id": "pay_" + "a" * 15,
    "replay_id": None,
    "mode": "test",
    "type": "payment.success",
    "status": "pending",
    "attempts": 5,
    "last_attempt_at": None,
    "next_retry_at": None,
    "scheduled_at": None,
    "response_code": None,
    "payload": b"{}",
    "created_at": datetime.now(UTC),
}


class One(Postgres):
    """A PostgreSQL with one delivery, and perhaps one that its endpoint must send before."""

    def __init__(self, settings: Settings, **changes: object) -> None:
        super().__init__(settings)
        self.row = ROW | changes
        self.first: str | None = None

    async def fetch(self, name: str, *arguments: object) -> Sequence[Row]:
        """The delivery, or the one before it."""
        assert arguments[0] == DELIVERY
        if name == "older_held":
            return [cast("Row", {"delivery_id": self.first})] if self.first else []
        assert name == "delivery"
        shown = {key: value for key, value in self.row.items() if key != "payload"}
        return [cast("Row", self.row | {"shown": orjson.dumps(shown).decode()})]


class Slow(Bus):
    """A log that takes every record, but whose answer comes too late."""

    reachable = True
    answers = False

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.kafka, timeout_ms=100)
        self.taken: list[Record] = []

    @property
    def available(self) -> bool:
        """Whether the log is known to be there."""
        return self.reachable

    async def publish(self, records: Sequence[Record]) -> list[Position]:
        """Take them and say nothing, unless told otherwise."""
        self.taken += records
        if self.answers:
            return []
        raise LogUnavailable("no answer in time")

    def tokens(self) -> list[str]:
        """The tokens of what was taken."""
        return [orjson.loads(record.value or b"")["token"] for record in self.taken]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a state folder of their own."""
    return Settings(state_dir=tmp_path)


def commands(
    settings: Settings, bus: Bus, postgres: One | None = None, endpoint: Endpoint = ENDPOINT
) -> DeliveryCommands:
    """The handlers, for a merchant with the secret `s`."""
    key = ApiKey(
        id="k", merchant_id="mer_1", mode="test", secret_hash=hash_secret("s"), revoked=False
    )
    postgres = postgres or One(settings)
    copy = ConfigurationCopy(settings, postgres)
    copy.now = Configuration(version=1, keys={"k": key}, endpoints={endpoint.id: endpoint})
    return DeliveryCommands(settings, Authenticator(settings, copy), postgres, bus, copy)


@pytest.fixture
def log(settings: Settings) -> Slow:
    """A log that answers."""
    bus = Slow(settings)
    bus.answers = True
    return bus


def asked(key: str | None = None) -> Exchange:
    """A request for one more attempt."""
    headers = [(b"authorization", b"Bearer s")]
    if key is not None:
        headers.append((b"idempotency-key", key.encode()))
    scope = {"method": "POST", ROUTE: "/api/v1/webhooks/{id}/retry", "headers": headers}
    return Exchange({**scope, "path_params": {"id": DELIVERY}})


async def test_a_retry_without_an_answer_is_unknown_and_its_repeat_is_the_same_attempt(
    settings: Settings,
) -> None:
    """08 R15: the record may be on the log, so nobody may say that nothing happened."""
    bus = Slow(settings)
    handlers = commands(settings, bus)
    with pytest.raises(OutcomeUnknown) as unknown:
        await handlers.seed_retry(asked())
    drawn = unknown.value.headers["Idempotency-Key"]
    for key in (drawn, "mine", "mine", None):
        with pytest.raises(OutcomeUnknown):
            await handlers.seed_retry(asked(key))
    tokens = bus.tokens()
    assert tokens[0] == tokens[1]
    assert tokens[2] == tokens[3]
    assert len(set(tokens)) == 3


async def test_a_retry_without_a_log_says_that_nothing_was_changed(settings: Settings) -> None:
    bus = Slow(settings)
    bus.reachable = False
    with pytest.raises(LogUnavailable):
        await commands(settings, bus).retry(asked())
    assert bus.taken == []


async def test_retry_shows_the_delivery_and_asks_its_lane(settings: Settings, log: Slow) -> None:
    answer = await commands(settings, log).retry(asked("mine"))
    shown = orjson.loads(answer.body)
    assert (answer.status_code, shown["id"], shown["status"]) == (202, DELIVERY, "pending")
    [record] = log.taken
    wanted = orjson.loads(record.value or b"")
    assert (record.topic, record.key) == ("webhooks.ready", ENDPOINT.id.encode())
    assert (wanted["manual"], wanted["body"]) == (True, "{}")
    assert "cancel" not in dict(record.headers)


async def test_cancel_is_a_command_of_its_own_and_has_no_body(
    settings: Settings, log: Slow
) -> None:
    handlers = commands(settings, log)
    for key in ("mine", "mine", "other"):
        answer = await handlers.cancel(asked(key))
        assert (answer.status_code, orjson.loads(answer.body)["id"]) == (202, DELIVERY)
    await handlers.retry(asked("mine"))
    first, second, third, retry = log.tokens()
    assert (first == second, len({first, third, retry})) == (True, 3)
    assert all("cancel" in dict(record.headers) for record in log.taken[:3])
    assert orjson.loads(log.taken[0].value or b"")["body"] == ""


async def test_a_cancel_without_an_answer_is_unknown(settings: Settings) -> None:
    with pytest.raises(OutcomeUnknown) as unknown:
        await commands(settings, Slow(settings)).cancel(asked("mine"))
    assert unknown.value.headers["Idempotency-Key"] == "mine"


@pytest.mark.parametrize("status", ["success", "failed"])
async def test_what_has_ended_is_not_canceled(settings: Settings, log: Slow, status: str) -> None:
    with pytest.raises(WebhookDeliveryOver):
        await commands(settings, log, One(settings, status=status)).cancel(asked())
    assert log.taken == []


@pytest.mark.parametrize("status", ["pending", "held", "parked"])
async def test_what_has_not_ended_is_canceled(settings: Settings, log: Slow, status: str) -> None:
    await commands(settings, log, One(settings, status=status)).cancel(asked())
    assert len(log.taken) == 1


async def test_canceled_stays_canceled(settings: Settings, log: Slow) -> None:
    handlers = commands(settings, log, One(settings, status="canceled"))
    assert (await handlers.cancel(asked())).status_code == 202
    with pytest.raises(WebhookDeliveryOver):
        await handlers.retry(asked())
    assert log.taken == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({"deleted": True}, WebhookDeliveryOver), ({"enabled": False}, EndpointDisabled)],
)
async def test_nothing_is_sent_to_an_endpoint_that_takes_nothing_08_r31(
    settings: Settings, log: Slow, changes: dict[str, bool], problem: type[Exception]
) -> None:
    endpoint = ENDPOINT.model_copy(update=changes)
    with pytest.raises(problem):
        await commands(settings, log, endpoint=endpoint).retry(asked())
    assert log.taken == []


async def test_where_the_order_matters_only_the_first_is_retried_08_r32(
    settings: Settings, log: Slow
) -> None:
    store, fifo = One(settings), ENDPOINT.model_copy(update={"fifo": True})
    handlers = commands(settings, log, store, fifo)
    store.first = "dlv_first"
    with pytest.raises(WebhookDeliveryNotFirst, match="dlv_first"):
        await handlers.retry(asked())
    assert log.taken == []
    store.first = None
    await handlers.retry(asked())
    assert len(log.taken) == 1
    store.first = "dlv_first"
    await commands(settings, log, store).retry(asked())
    assert len(log.taken) == 2
