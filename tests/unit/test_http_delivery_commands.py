"""Retry now: a repeat under one key asks for the same attempt, and nobody is told a guess."""

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
from headgate.http.problems_of_services import OutcomeUnknown
from headgate.streams.bus import Bus, Position, Record
from headgate.streams.errors import LogUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey, Configuration, ConfigurationCopy
from headgate.tables.merchants import hash_secret
from headgate.tables.postgres import Postgres, Row

DELIVERY = "dlv_" + "a" * 26


class One(Postgres):
    """A PostgreSQL with one delivery."""

    async def fetch(self, name: str, *arguments: object) -> Sequence[Row]:
        """The delivery."""
        assert (name, arguments[0]) == ("delivery", DELIVERY)
        row = {
            "id": DELIVERY,
            "event_id": "evt_" + "a" * 26,
            "endpoint_id": "whe_" + "a" * 26,
            "merchant_id": "mer_1",
            "payment_id": "pay_" + "a" * 15,
            "replay_id": None,
            "mode": "test",
            "type": "payment.success",
            "attempts": 5,
            "payload": b"{}",
            "created_at": datetime.now(UTC),
        }
        return [cast("Row", row)]


class Slow(Bus):
    """A log that takes every record, but whose answer comes too late."""

    reachable = True

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.kafka, timeout_ms=100)
        self.taken: list[Record] = []

    @property
    def available(self) -> bool:
        """Whether the log is known to be there."""
        return self.reachable

    async def publish(self, records: Sequence[Record]) -> list[Position]:
        """Take them and say nothing."""
        self.taken += records
        raise LogUnavailable("no answer in time")

    def tokens(self) -> list[str]:
        """The tokens of what was taken."""
        return [orjson.loads(record.value or b"")["token"] for record in self.taken]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a state folder of their own."""
    return Settings(state_dir=tmp_path)


def webhooks(settings: Settings, bus: Bus) -> DeliveryCommands:
    """The handlers, for a merchant with the secret `s`."""
    key = ApiKey(
        id="k", merchant_id="mer_1", mode="test", secret_hash=hash_secret("s"), revoked=False
    )
    postgres = One(settings)
    copy = ConfigurationCopy(settings, postgres)
    copy.now = Configuration(version=1, keys={"k": key})
    return DeliveryCommands(settings, Authenticator(settings, copy), postgres, bus)


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
    handlers = webhooks(settings, bus)
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
        await webhooks(settings, bus).retry(asked())
    assert bus.taken == []
