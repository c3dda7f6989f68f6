"""Before a command is taken: whose the payment is, asked once and never told too early (08 R12)."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.http.cache import Cache
from headgate.http.claims import Claims
from headgate.http.decisions import Decisions
from headgate.http.detour import Detour
from headgate.http.existing import KNOWN_MAX, Existing
from headgate.http.finding import Finder
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.problems_of_services import StoreAway
from headgate.http.replies import Inbox
from headgate.streams.bus import Bus
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey, ConfigurationCopy
from headgate.tables.postgres import Postgres

MINE = "pay_" + "a" * 15
KEY = ApiKey(id="k", merchant_id="mer_1", mode="test", secret_hash=b"", revoked=False)
LIVE = KEY.model_copy(update={"mode": "live"})


class Stored(Decisions):
    """One payment in PostgreSQL, which may be away."""

    def __init__(self, settings: Settings) -> None:
        postgres, cache = Postgres(settings), Cache(settings)
        bus = Bus(settings.kafka, timeout_ms=100)
        super().__init__(settings, postgres, bus, cache, Inbox(settings))
        self.away = False
        self.asked = 0

    async def owner_of(self, payment_id: str, wait_ms: int) -> tuple[str, str] | None:
        """Its owner, counted."""
        del wait_ms
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")
        return (KEY.merchant_id, KEY.mode) if payment_id == MINE else None


class Found(Finder):
    """Creates that Redis remembers, and a settle that has caught up."""

    begun_ids: frozenset[str] = frozenset()

    async def begun(self, payment_id: str, api_key: ApiKey) -> bytes | None:
        """The answer to its create."""
        del api_key
        return b"{}" if payment_id in self.begun_ids else None

    async def until_settled(self, partitions: object, what: str) -> None:
        """At once."""


class Stage:
    """An `Existing` between these two."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(state_dir=folder)
        self.stored, cache = Stored(settings), Cache(settings)
        copy = ConfigurationCopy(settings, Postgres(settings))
        claims = Claims(settings, cache, Detour(settings, cache), copy)
        self.found = Found(settings, Postgres(settings), claims, self.stored)
        self.existing = Existing(settings, self.found, self.stored)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Everything answers."""
    return Stage(tmp_path)


async def test_an_owner_is_asked_for_once_and_nobody_else_may(stage: Stage) -> None:
    for _ in range(3):
        await stage.existing.check(MINE, KEY)
    assert stage.stored.asked == 1
    with pytest.raises(ResourceMissing):
        await stage.existing.check(MINE, LIVE)


async def test_what_is_not_there_is_asked_for_again(stage: Stage) -> None:
    unknown = "pay_" + "b" * 15
    for _ in range(2):
        with pytest.raises(ResourceMissing, match="no payment"):
            await stage.existing.check(unknown, KEY)
    assert stage.stored.asked == 4, "before and after settle had caught up"
    stage.found.begun_ids = frozenset({unknown})
    await stage.existing.check(unknown, KEY)


async def test_with_postgresql_away_redis_vouches_or_it_is_503(stage: Stage) -> None:
    stage.stored.away = True
    with pytest.raises(StoreAway):
        await stage.existing.check(MINE, KEY)
    stage.found.begun_ids = frozenset({MINE})
    await stage.existing.check(MINE, KEY)


async def test_what_is_remembered_is_bounded(stage: Stage) -> None:
    for number in range(KNOWN_MAX + 5):
        stage.existing.know(f"pay_{number}", ("mer_1", "test"))
    assert len(stage.existing._known) == KNOWN_MAX
