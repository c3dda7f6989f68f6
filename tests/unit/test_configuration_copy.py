"""The last known configuration: refreshed by version, and enough to start without PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.acquirer_knobs import Knobs
from headgate.tables.configuration import Configuration, ConfigurationCopy
from headgate.tables.merchants import hash_secret
from headgate.tables.postgres import Postgres, Row
from headgate.tables.scopes import DEFAULT_SCOPES
from tests.unit.fakes import until

SECRET = "secret_test_xyz789"


class FakePostgres(Postgres):
    """The tables that configuration is read from."""

    def __init__(self) -> None:
        self.away = False
        self.asked: list[str] = []
        self.tables: dict[str, list[dict[str, Any]]] = {
            "configuration": [{"version": 3, "redis_token": "born", "born_at": None}],
            "merchants": [{"id": "mer_1", "name": "Shop", "require_keys": False}],
            "api_keys": [
                {
                    "id": "key_test_abc123",
                    "merchant_id": "mer_1",
                    "mode": "test",
                    "secret_hash": hash_secret(SECRET),
                    "revoked": False,
                }
            ],
            "acquirer_knobs": [
                {"merchant_id": "mer_1", "knobs": '{"outage": "2026-11-26T12:00:00Z"}'}
            ],
            "webhook_endpoints": [
                {
                    "id": f"ep_{n}",
                    "merchant_id": merchant,
                    "mode": mode,
                    "is_default": True,
                    "url": "https://hooks.example.com",
                    "sealed_secret": "sealed",
                    "event_types": ["payment.success"],
                    "enabled": True,
                }
                for n, (merchant, mode) in enumerate(
                    [("mer_1", "test"), ("mer_1", "live"), ("mer_2", "test")]
                )
            ],
        }

    async def fetch(self, name: str, *arguments: object) -> Sequence[Row]:
        """All rows of the table that the statement reads."""
        if self.away:
            raise StoreUnavailable("PostgreSQL is away")
        self.asked.append(name)
        return cast("Sequence[Row]", self.tables[name])


@pytest.fixture
def postgres() -> FakePostgres:
    return FakePostgres()


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path / "state", configuration_refresh_ms=1)


async def test_a_first_start_without_postgresql_knows_nothing(
    here: Settings, postgres: FakePostgres
) -> None:
    postgres.away = True
    copy = ConfigurationCopy(here, postgres)
    assert copy.now == Configuration()
    with pytest.raises(StoreUnavailable):
        await copy.refresh()


async def test_it_holds_what_postgresql_holds(here: Settings, postgres: FakePostgres) -> None:
    now = await ConfigurationCopy(here, postgres).refresh()
    assert (now.version, now.redis_token) == (3, "born")
    assert now.keys["key_test_abc123"].secret_hash == hash_secret(SECRET)
    assert now.merchants["mer_1"].name == "Shop"
    assert [endpoint.id for endpoint in now.endpoints_of("mer_1", "test")] == ["ep_0"]
    assert now.endpoints_of("mer_3", "test") == []
    noon = datetime(2026, 11, 26, 12, tzinfo=UTC)
    assert now.knobs == {"mer_1": Knobs(outage=noon)}


async def test_it_is_read_again_only_when_its_version_changes(
    here: Settings, postgres: FakePostgres
) -> None:
    copy = ConfigurationCopy(here, postgres)
    await copy.refresh()
    postgres.asked.clear()
    await copy.refresh()
    assert postgres.asked == ["configuration"]
    postgres.tables["configuration"][0]["version"] = 4
    postgres.tables["merchants"].append({"id": "mer_2", "name": "New", "require_keys": True})
    assert "mer_2" in (await copy.refresh()).merchants


async def test_a_start_without_postgresql_goes_on_with_what_was_last_known(
    here: Settings, postgres: FakePostgres
) -> None:
    """08 R18."""
    known = await ConfigurationCopy(here, postgres).refresh()
    postgres.away = True
    restarted = ConfigurationCopy(here, postgres)
    assert restarted.now == known


async def test_what_was_remembered_is_confirmed_once_since_it_may_be_of_another_database(
    here: Settings, postgres: FakePostgres
) -> None:
    await ConfigurationCopy(here, postgres).refresh()
    other = FakePostgres()
    other.tables["merchants"] = [{"id": "mer_9", "name": "Other", "require_keys": False}]
    copy = ConfigurationCopy(here, other)
    assert "mer_1" in copy.now.merchants
    assert set((await copy.refresh()).merchants) == {"mer_9"}


async def test_the_file_is_for_its_owner_alone_and_holds_no_secret(
    here: Settings, postgres: FakePostgres
) -> None:
    await ConfigurationCopy(here, postgres).refresh()
    [file] = here.state_dir.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert SECRET not in file.read_text()


@pytest.mark.parametrize("content", ["", "{", '{"version": "many"}', "\x00"])
async def test_a_file_that_cannot_be_read_is_as_good_as_none(
    here: Settings, postgres: FakePostgres, content: str
) -> None:
    await ConfigurationCopy(here, postgres).refresh()
    [file] = here.state_dir.iterdir()
    file.write_text(content)
    assert ConfigurationCopy(here, postgres).now == Configuration()


async def test_a_file_of_an_older_version_is_still_read_08_r18(
    here: Settings, postgres: FakePostgres
) -> None:
    """It lacks what keys and merchants have learned since; nobody is locked out by an upgrade."""
    known = await ConfigurationCopy(here, postgres).refresh()
    [file] = here.state_dir.iterdir()
    old = json.loads(file.read_text())
    young = ("name", "scopes", "rate_per_s", "strict_parameters", "expires_at_ms", "replaced_by")
    for member in young:
        del old["keys"]["key_test_abc123"][member]
    del old["merchants"]["mer_1"]["active"]
    del old["knobs"]
    file.write_text(json.dumps(old))
    assert ConfigurationCopy(here, postgres).now == known.model_copy(update={"knobs": {}})
    key = known.keys["key_test_abc123"]
    assert (key.scopes, key.strict_parameters) == (DEFAULT_SCOPES, False)
    assert known.merchants["mer_1"].active


async def test_a_folder_that_cannot_be_written_costs_only_the_memory(
    here: Settings, postgres: FakePostgres
) -> None:
    here.state_dir.write_text("not a folder")
    assert (await ConfigurationCopy(here, postgres).refresh()).version == 3


async def test_namespaces_do_not_share_a_file(here: Settings, postgres: FakePostgres) -> None:
    await ConfigurationCopy(here, postgres).refresh()
    replay = here.model_copy(update={"namespace": "replay"})
    assert ConfigurationCopy(replay, postgres).now == Configuration()


async def test_an_outage_leaves_the_last_copy_standing_and_ends_by_itself(
    here: Settings, postgres: FakePostgres
) -> None:
    """00 A12."""
    copy = ConfigurationCopy(here, postgres)
    running = asyncio.create_task(copy.run())
    await until(lambda: copy.now.version == 3)
    postgres.away = True
    postgres.tables["configuration"][0]["version"] = 4
    await asyncio.sleep(0.01)
    assert copy.now.version == 3
    postgres.away = False
    await until(lambda: copy.now.version == 4)
    running.cancel()


async def test_a_schema_without_its_row_says_what_to_do(
    here: Settings, postgres: FakePostgres
) -> None:
    postgres.tables["configuration"] = []
    with pytest.raises(StoreUnavailable, match="headgate migrate"):
        await ConfigurationCopy(here, postgres).refresh()
