"""The simulated bank's knobs: what may be set, by whom, and what is kept of it (08 R24)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from headgate.http.auth import Authenticator
from headgate.http.exchange import BODY, ROUTE, Exchange
from headgate.http.problems_of_access import LivemodeMismatch, PermissionDenied
from headgate.http.problems_of_requests import ParameterInvalid
from headgate.http.problems_of_services import OutcomeUnknown
from headgate.http.simulated_bank import SimulatedBank
from headgate.streams.commands import Mode
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables import acquirer_knobs
from headgate.tables.acquirer_knobs import DEFAULTS, Knobs
from headgate.tables.configuration import ApiKey, Configuration, ConfigurationCopy
from headgate.tables.merchants import hash_secret
from headgate.tables.postgres import Postgres
from headgate.tables.scopes import DEFAULT_SCOPES

GOOD: list[dict[str, Any]] = [
    {},
    {"latency_ms": {"min": 0, "max": 60_000}},
    {"latency_ms": None, "approve_ratio": None, "seed": None},
    {"approve_ratio": 0, "error_ratio": 1, "timeout_ratio": 0.5, "duplicate_ratio": 1.0},
    {"outage": True},
    {"outage": "2026-11-26T12:00:00Z"},
    {"outage": "2026-11-26T17:30:00+05:30", "seed": "load test 7"},
]
BAD: list[dict[str, Any]] = [
    {"latency_ms": 5},
    {"latency_ms": {"min": 2, "max": 1}},
    {"latency_ms": {"min": -1}},
    {"latency_ms": {"max": 60_001}},
    {"latency_ms": {"max": 1.5}},
    {"error_ratio": 1.01},
    {"error_ratio": -0.01},
    {"error_ratio": "0.5"},
    {"error_ratio": True},
    {"error_ratio": None},
    {"outage": None},
    {"outage": 1_795_450_029},
    {"outage": "yes"},
    {"outage": "2026-11-26T12:00:00"},
    {"outage": {}},
    {"seed": ""},
    {"seed": "a\0b"},
    {"seed": "x" * 65},
    {"seed": "4242424242424242"},
    {"seed": 7},
]


@pytest.mark.parametrize("members", GOOD, ids=repr)
def test_what_may_be_set_is_kept_as_it_was_said_08_r24(members: dict[str, Any]) -> None:
    knobs = Knobs.model_validate(members)
    assert Knobs.model_validate_json(knobs.model_dump_json()) == knobs
    assert Knobs(**knobs.model_dump()) == knobs


@pytest.mark.parametrize("members", BAD, ids=repr)
def test_what_makes_no_sense_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Knobs.model_validate(members)


def test_an_outage_ends_at_its_time_wherever_that_was_written() -> None:
    knobs = Knobs.model_validate({"outage": "2026-11-26T17:30:00+05:30"})
    noon_ms = 1_795_694_400_000
    assert knobs.is_out(noon_ms - 1)
    assert not knobs.is_out(noon_ms)
    assert not DEFAULTS.is_out(noon_ms)


class Store:
    """The table, in memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows: dict[str, tuple[Knobs, str]] = {}
        self.away = False
        monkeypatch.setattr(acquirer_knobs, "stored", self.stored)
        monkeypatch.setattr(acquirer_knobs, "store", self.store)

    async def stored(self, _postgres: Postgres, merchant_id: str) -> Knobs:
        """What is set."""
        return self.rows.get(merchant_id, (DEFAULTS, ""))[0]

    async def store(self, _postgres: Postgres, merchant_id: str, knobs: Knobs, actor: str) -> None:
        """Set it."""
        if self.away:
            raise StoreUnavailable("PostgreSQL is away")
        self.rows[merchant_id] = (knobs, actor)


class Away(Postgres):
    """A PostgreSQL that nobody reaches."""

    async def fetch(self, name: str, *arguments: object) -> Any:
        """Nothing."""
        raise StoreUnavailable("PostgreSQL is away")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """The table behind the handlers."""
    return Store(monkeypatch)


def bank(folder: Path) -> SimulatedBank:
    """The handlers, for a merchant with the secrets `test`, `live` and `weak`."""
    settings = Settings(state_dir=folder)
    copy = ConfigurationCopy(settings, Away(settings))
    copy.now = Configuration(
        version=1,
        keys={
            "test": _key("test", "test"),
            "live": _key("live", "live"),
            "weak": _key("weak", "test", DEFAULT_SCOPES - {"test:write"}),
        },
    )
    return SimulatedBank(settings, Authenticator(settings, copy), Away(settings), copy)


def _key(name: str, mode: Mode, scopes: frozenset[str] = DEFAULT_SCOPES) -> ApiKey:
    return ApiKey(
        id=name,
        merchant_id="mer_1",
        mode=mode,
        secret_hash=hash_secret(name),
        revoked=False,
        scopes=scopes,
    )


def asked(secret: str, body: Mapping[str, Any] | None = None) -> Exchange:
    """A request with this key."""
    headers = [
        (b"authorization", f"Bearer {secret}".encode()),
        (b"content-type", b"application/json"),
    ]
    scope = {"headers": headers, "method": "PUT", ROUTE: "/api/v1/test/acquirer"}
    return Exchange({**scope, BODY: orjson.dumps(body or {})})


async def test_a_put_sets_all_of_it_and_says_what_is_set_08_r24(
    tmp_path: Path, store: Store
) -> None:
    handlers = bank(tmp_path)
    await handlers.put(asked("test", {"error_ratio": 0.5, "outage": True}))
    answer = orjson.loads((await handlers.put(asked("test", {"seed": "s"}))).body)
    assert answer == orjson.loads((await handlers.show(asked("test"))).body)
    assert store.rows == {"mer_1": (Knobs(seed="s"), "test")}
    assert (answer["object"], answer["error_ratio"], answer["outage"], answer["seed"]) == (
        "test_acquirer", 0.0, False, "s",
    )  # fmt: skip


async def test_a_delete_resets_it(tmp_path: Path, store: Store) -> None:
    handlers = bank(tmp_path)
    await handlers.put(asked("test", {"outage": True}))
    answer = orjson.loads((await handlers.reset(asked("test"))).body)
    assert answer["outage"] is False
    assert store.rows["mer_1"][0] == DEFAULTS


async def test_live_keys_and_keys_without_the_scope_touch_nothing(
    tmp_path: Path, store: Store
) -> None:
    handlers = bank(tmp_path)
    for call in (handlers.put, handlers.show, handlers.reset):
        with pytest.raises(LivemodeMismatch, match="test mode only"):
            await call(asked("live"))
        with pytest.raises(PermissionDenied, match="test:write"):
            await call(asked("weak"))
    assert store.rows == {}


async def test_a_refusal_names_the_member_and_what_it_may_be(tmp_path: Path, store: Store) -> None:
    handlers = bank(tmp_path)
    with pytest.raises(ParameterInvalid) as refused:
        await handlers.put(asked("test", {"outage": "soon"}))
    assert refused.value.param == "outage"
    assert refused.value.detail == (
        "outage is 'soon'; it must be true, false or a time with its zone such as "
        "2026-11-26T12:00:00Z."
    )
    assert store.rows == {}


async def test_a_change_that_may_be_stored_is_not_called_failed(
    tmp_path: Path, store: Store
) -> None:
    """08 R15."""
    store.away = True
    with pytest.raises(OutcomeUnknown, match="may or may not be done"):
        await bank(tmp_path).put(asked("test", {"outage": True}))
