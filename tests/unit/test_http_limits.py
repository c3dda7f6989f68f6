"""Limits: of a key, of a payment, of an address; told to the client, and bounded in memory."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx
import pytest

from headgate.cli.docs import _sections
from headgate.embedded.addresses import drawn
from headgate.embedded.environment import NO_LIMITS, of_roles
from headgate.http import limits as module
from headgate.http.auth import Authenticator
from headgate.http.edge import create_app
from headgate.http.exchange import LIMITS, ROUTE, Exchange
from headgate.http.limits import Buckets, Limits
from headgate.http.problems_of_access import ApiKeyInvalid, RateLimited
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey, Configuration, ConfigurationCopy
from headgate.tables.merchants import hash_secret
from headgate.tables.postgres import Postgres

OFF: dict[str, Any] = {name.removeprefix("HEADGATE_").lower(): 0 for name in NO_LIMITS}
CREATE, CAPTURE = "/api/v1/payments", "/api/v1/payments/{id}/capture"


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time as the limits see it."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def key(name: str = "key_test_1", **members: Any) -> ApiKey:
    """An API key."""
    given = {"merchant_id": "mer_1", "mode": "test", "revoked": False, **members}
    return ApiKey(id=name, secret_hash=hash_secret("s"), **given)


def limits(**settings: Any) -> Limits:
    """No limits but these."""
    return Limits(Settings(**{**OFF, **settings}))


def asked(
    method: str = "POST", route: str = CREATE, payment: str = "pay_1", client: str = "192.0.2.1"
) -> Exchange:
    """A request."""
    scope = {"method": method, "headers": [], ROUTE: route, "client": (client, 1)}
    return Exchange({**scope, "path_params": {"id": payment}})


def told(exchange: Exchange) -> Any:
    """What the answer will tell of limits."""
    return exchange._scope.get(LIMITS)


def spend(of: Limits, by: ApiKey, times: int, **request: str) -> None:
    """Make that many requests."""
    for _ in range(times):
        of.count(asked(**request), by)


@pytest.mark.usefixtures("clock")
def test_without_a_limit_nothing_is_counted_and_nothing_told_08_r19() -> None:
    none = limits()
    for method in ("POST", "GET"):
        exchange = asked(method, CAPTURE)
        for _ in range(5000):
            none.count(exchange, key())
        assert told(exchange) is None
    for _ in range(500):
        none.count_wrong_key(asked())
    assert len(none._buckets) == 0


def test_writes_are_refused_beyond_the_keys_limit_until_time_passes(clock: Clock) -> None:
    three = limits(writes_per_s_test=3)
    for left in (2, 1, 0):
        exchange = asked()
        three.count(exchange, key())
        assert told(exchange) == ('"default";q=3;w=1', f'"default";r={left};t=1')
    refused = asked()
    with pytest.raises(RateLimited, match="key_test_1 may make 3 writes a second") as problem:
        three.count(refused, key())
    assert told(refused) == ('"default";q=3;w=1', '"default";r=0;t=1')
    assert problem.value.headers["Retry-After"] == "1"
    assert problem.value.document("r")["reason"] == "key"
    three.count(asked(), key("key_test_2"))
    clock.now += 0.34
    three.count(asked(), key())
    with pytest.raises(RateLimited):
        three.count(asked(), key())
    clock.now += 100
    spend(three, key(), 3)
    with pytest.raises(RateLimited):
        three.count(asked(), key())


@pytest.mark.usefixtures("clock")
def test_modes_and_reads_have_limits_of_their_own() -> None:
    of = limits(writes_per_s_test=1, writes_per_s_live=2, reads_per_s_test=3, reads_per_s_live=4)
    live = key("key_live_1", mode="live")
    for by, method, most in (
        (key(), "POST", 1),
        (live, "PATCH", 2),
        (key(), "GET", 3),
        (live, "HEAD", 4),
    ):
        spend(of, by, most, method=method)
        with pytest.raises(RateLimited):
            of.count(asked(method), by)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("default", [0, 1, 100])
def test_a_key_may_have_a_rate_of_its_own(default: int) -> None:
    of, own = limits(writes_per_s_test=default), key(rate_per_s=5)
    assert of.writes_per_s(own) == 5
    assert of.writes_per_s(key()) == default
    spend(of, own, 5)
    with pytest.raises(RateLimited):
        of.count(asked(), own)


def test_one_payment_takes_so_many_writes_a_minute(clock: Clock) -> None:
    of = limits(payment_writes_per_min=20, writes_per_s_test=100)
    spend(of, key(), 20, route=CAPTURE)
    refused = asked(route=CAPTURE)
    with pytest.raises(RateLimited, match="20 writes a minute") as problem:
        of.count(refused, key())
    assert problem.value.document("r")["reason"] == "object"
    assert problem.value.headers["Retry-After"] == "3"
    policy, state = told(refused)
    assert policy == '"default";q=100;w=1, "payment";q=20;w=60'
    assert state == '"default";r=79;t=1, "payment";r=0;t=3'
    of.count(asked(route=CAPTURE, payment="pay_2"), key())
    of.count(asked(route=CAPTURE), key(merchant_id="mer_2"))
    of.count(asked(route=CAPTURE, method="GET"), key())
    of.count(asked(), key())
    clock.now += 3
    of.count(asked(route=CAPTURE), key())


@pytest.mark.usefixtures("clock")
def test_wrong_keys_are_counted_by_address_and_by_network_of_ipv6() -> None:
    of = limits(wrong_keys_per_min=2)
    for first, same, other in (
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1"),
        ("::ffff:192.0.2.9", "::ffff:192.0.2.9", "::ffff:192.0.2.8"),
        ("", "", "unix"),
    ):
        of.count_wrong_key(asked(client=first))
        of.count_wrong_key(asked(client=same))
        with pytest.raises(RateLimited) as problem:
            of.count_wrong_key(asked(client=same))
        assert problem.value.document("r")["reason"] == "address"
        of.count_wrong_key(asked(client=other))


class Copy(ConfigurationCopy):
    """A configuration with one key, that counts how often PostgreSQL is asked."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, Postgres(settings))
        self.now = Configuration(version=1, keys={"key_test_1": key()})
        self.refreshes = 0

    async def refresh(self) -> Configuration:
        """Nothing new."""
        self.refreshes += 1
        return self.now


async def test_after_100_wrong_keys_an_address_is_told_429_and_right_keys_still_work(
    tmp_path: Path,
) -> None:
    """07 §8. What is refused so does not reach PostgreSQL."""
    settings = Settings(**{**OFF, "wrong_keys_per_min": 100, "state_dir": tmp_path})
    copy = Copy(settings)
    authenticator = Authenticator(settings, copy)

    def wrong(n: int) -> Exchange:
        headers = [(b"authorization", f"Bearer guess{n}".encode())]
        return Exchange({"method": "GET", "headers": headers, "client": ("192.0.2.1", 1)})

    for n in range(100):
        with pytest.raises(ApiKeyInvalid):
            await authenticator.key_of(wrong(n), "payments:read")
    asked_before = copy.refreshes
    with pytest.raises(RateLimited):
        await authenticator.key_of(wrong(100), "payments:read")
    assert copy.refreshes == asked_before
    right = {"method": "GET", "headers": [(b"authorization", b"Bearer s")]}
    found = await authenticator.key_of(
        Exchange({**right, "client": ("192.0.2.1", 1)}), "payments:read"
    )
    assert found.id == "key_test_1"


@pytest.mark.usefixtures("clock")
def test_memory_is_bounded_and_who_comes_often_is_not_forgotten() -> None:
    buckets = Buckets(100)
    for n in range(1000):
        buckets.take(n, 0.001, 5)
        buckets.take("often", 0.001, 5)
        assert len(buckets) <= 101
    assert buckets.take("often", 0.001, 5) < 0
    assert buckets.take(0, 0.001, 5) == 4


def edge(folder: Path, **settings: Any) -> httpx.AsyncClient:
    """A client with a key, of an edge without servers."""
    given = {**OFF, "secret_key": b64encode(bytes(32)).decode(), "state_dir": folder, **settings}
    app = create_app(Settings(**given))
    app.state.services.configuration.now = Configuration(version=1, keys={"k": key("k")})
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://edge",
        headers={"Authorization": "Bearer s"},
    )


async def test_every_answer_tells_the_limit_and_429_says_when_to_come_back(tmp_path: Path) -> None:
    async with edge(tmp_path, reads_per_s_test=2) as client:
        for left in (1, 0):
            answer = await client.get("/api/v1/payments/nothing")
            assert answer.status_code == 404
            assert answer.headers["RateLimit-Policy"] == '"reads";q=2;w=1'
            assert answer.headers["RateLimit"] == f'"reads";r={left};t=1'
        refused = await client.get("/api/v1/payments/nothing")
        problem = refused.json()
        assert (refused.status_code, problem["code"]) == (429, "rate_limited")
        assert refused.headers["Retry-After"] == "1"
        assert refused.headers["Should-Retry"] == "true"
        assert refused.headers["RateLimit"] == '"reads";r=0;t=1'
        assert (problem["retryable"], problem["reason"]) == (True, "key")
        assert "RateLimit" not in (await client.get("/health/live")).headers


async def test_every_write_to_a_payment_counts_for_that_payment(tmp_path: Path) -> None:
    writes = ("capture", "cancel", "void", "refunds", "reversals", "increment")
    async with edge(tmp_path, payment_writes_per_min=len(writes)) as client:
        for name in writes:
            answer = await client.post(f"/api/v1/payments/pay_1/{name}", content=b"{")
            assert answer.status_code in (400, 404, 415), name
            assert answer.headers["RateLimit-Policy"] == '"payment";q=6;w=60'
        refused = await client.post("/api/v1/payments/pay_1/capture", content=b"{")
        assert (refused.status_code, refused.json()["reason"]) == (429, "object")
        other = await client.post("/api/v1/payments/pay_2/capture", content=b"{")
        assert other.status_code != 429


async def test_without_limits_no_answer_tells_any(tmp_path: Path) -> None:
    async with edge(tmp_path) as client:
        assert "RateLimit" not in (await client.get("/api/v1/payments/nothing")).headers


def test_up_has_no_limits_unless_the_user_sets_one_08_r19(tmp_path: Path) -> None:
    [names] = [names for heading, names in _sections() if heading == "Limits"]
    assert {f"HEADGATE_{name.upper()}" for name in names} == set(NO_LIMITS)
    addresses = drawn()
    plain = of_roles(tmp_path, addresses, {})
    assert {plain[name] for name in NO_LIMITS} == {"0"}
    chosen = of_roles(tmp_path, addresses, {"HEADGATE_WRITES_PER_S_TEST": "7"})
    assert chosen["HEADGATE_WRITES_PER_S_TEST"] == "7"
