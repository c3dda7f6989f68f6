"""Operations: a key sees those of its merchant and mode only."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.http.auth import Authenticator
from headgate.http.cache import Cache
from headgate.http.decided import Decided
from headgate.http.decisions import Decisions
from headgate.http.exchange import Exchange
from headgate.http.operations import Operations
from headgate.http.pending import Pending
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.replies import Inbox
from headgate.streams.bus import Bus
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey, Configuration, ConfigurationCopy
from headgate.tables.merchants import hash_secret
from headgate.tables.postgres import Postgres
from tests.unit.builders import processing

PAYMENT = processing()
COMMAND_ID = "cmd_" + "a" * 26


class Known(Decisions):
    """One decision, and settle has read everything."""

    async def of(self, command_id: str, wait_ms: int) -> Decided | None:
        """The decision."""
        del wait_ms
        return Decided(
            command_id=command_id,
            merchant_id=PAYMENT.merchant_id,
            mode=PAYMENT.mode,
            type="payment.create",
            payment_id=PAYMENT.id,
            fingerprint="f",
            refusal=None,
            position="payments.commands/0/0",
            payment=PAYMENT,
        )


def operations(settings: Settings, mode: str) -> Operations:
    """What a key of this mode may look at."""
    key = ApiKey(
        id="k",
        merchant_id=PAYMENT.merchant_id,
        mode=mode,
        secret_hash=hash_secret("s"),
        revoked=False,
    )
    postgres = Postgres(settings)
    copy = ConfigurationCopy(settings, postgres)
    copy.now = Configuration(version=1, keys={"k": key})
    bus = Bus(settings.kafka, timeout_ms=100)
    cache = Cache(settings)
    known = Known(settings, postgres, bus, cache, Inbox(settings))
    return Operations(settings, Authenticator(settings, copy), known, Pending(settings, cache))


def asked() -> Exchange:
    """A request for the operation."""
    headers = [(b"authorization", b"Bearer s")]
    return Exchange({"method": "GET", "headers": headers, "path_params": {"id": COMMAND_ID}})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a state folder of their own."""
    return Settings(state_dir=tmp_path)


async def test_a_key_of_the_other_mode_does_not_see_an_operation(settings: Settings) -> None:
    other = "live" if PAYMENT.mode == "test" else "test"
    assert (await operations(settings, PAYMENT.mode).show(asked())).status_code == 200
    with pytest.raises(ResourceMissing):
        await operations(settings, other).show(asked())
