"""API keys: both styles, those that hold no longer, scopes, and PostgreSQL behind (08 R18)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from headgate.http.auth import Authenticator
from headgate.http.exchange import Exchange
from headgate.http.problems_of_access import (
    ApiKeyInvalid,
    ApiKeyMissing,
    ApiKeyRevoked,
    LivemodeMismatch,
    MerchantInactive,
    PermissionDenied,
)
from headgate.http.problems_of_services import StoreAway
from headgate.streams.clock import now_ms
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey, Configuration, ConfigurationCopy, Merchant
from headgate.tables.merchants import hash_secret
from headgate.tables.postgres import Postgres
from headgate.tables.scopes import DEFAULT_SCOPES, READING, SCOPES, Scope


def key(name: str, **members: Any) -> ApiKey:
    """A key with the secret `secret_` + its name."""
    given = {"merchant_id": "mer_1", "mode": "test", "revoked": False, **members}
    return ApiKey(id=name, secret_hash=hash_secret(f"secret_{name}"), **given)


async def found(
    authenticator: Authenticator, headers: Mapping[str, str], scope: Scope = "payments:read"
) -> ApiKey:
    """The key behind a request with these headers."""
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return await authenticator.key_of(Exchange({"method": "GET", "headers": raw}), scope)


def bearer(name: str) -> dict[str, str]:
    """The headers of a client that holds the secret of this key."""
    return {"authorization": f"Bearer secret_{name}"}


class Copy(ConfigurationCopy):
    """A configuration whose PostgreSQL knows `later`, or is away when that is None."""

    def __init__(self, settings: Settings, *known: ApiKey) -> None:
        super().__init__(settings, Postgres(settings))
        self.now = Configuration(version=1, keys={one.id: one for one in known})
        self.later: Configuration | None = self.now
        self.refreshes = 0

    async def refresh(self) -> Configuration:
        """Take over what PostgreSQL has."""
        self.refreshes += 1
        if self.later is None:
            raise StoreUnavailable("away")
        self.now = self.later
        return self.now


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a state folder of their own."""
    return Settings(state_dir=tmp_path)


async def test_both_styles_find_the_key(settings: Settings) -> None:
    authenticator = Authenticator(settings, Copy(settings, key("a"), key("b")))
    pair = {"x-api-key": "b", "x-api-secret": "secret_b"}
    assert (await found(authenticator, pair)).id == "b"
    assert (await found(authenticator, bearer("a"))).id == "a"


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({}, ApiKeyMissing),
        ({"x-api-key": "a"}, ApiKeyMissing),
        ({"x-api-secret": "secret_a"}, ApiKeyMissing),
        ({"x-api-key": "a", "x-api-secret": "secret_b"}, ApiKeyInvalid),
        ({"x-api-key": "b", "x-api-secret": "secret_a"}, ApiKeyInvalid),
        ({"authorization": "Bearer nope"}, ApiKeyInvalid),
        ({"authorization": "Basic c2VjcmV0"}, ApiKeyInvalid),
        ({"authorization": "Bearer"}, ApiKeyInvalid),
        (bearer("r"), ApiKeyRevoked),
        ({"x-api-key": "r", "x-api-secret": "secret_r"}, ApiKeyRevoked),
        ({"x-api-key": "r", "x-api-secret": "guess"}, ApiKeyInvalid),
    ],
)
async def test_credentials_that_do_not_hold_are_401(
    settings: Settings, headers: dict[str, str], problem: type[Exception]
) -> None:
    authenticator = Authenticator(settings, Copy(settings, key("a"), key("r", revoked=True)))
    with pytest.raises(problem):
        await found(authenticator, headers)


async def test_a_key_that_is_new_in_postgresql_is_read_through(settings: Settings) -> None:
    """08 R18."""
    copy = Copy(settings, key("a"))
    copy.later = Configuration(version=2, keys={"n": key("n")})
    authenticator = Authenticator(settings, copy)
    assert (await found(authenticator, bearer("n"))).id == "n"


async def test_an_unknown_key_is_503_while_postgresql_is_away(settings: Settings) -> None:
    """08 R18: known keys go on working."""
    copy = Copy(settings, key("a"))
    copy.later = None
    authenticator = Authenticator(settings, copy)
    with pytest.raises(StoreAway):
        await found(authenticator, bearer("n"))
    assert (await found(authenticator, bearer("a"))).id == "a"


async def test_wrong_guesses_do_not_reach_postgresql_again_and_again(settings: Settings) -> None:
    copy = Copy(settings, key("a"))
    authenticator = Authenticator(settings, copy)
    for _ in range(20):
        with pytest.raises(ApiKeyInvalid):
            await found(authenticator, {"authorization": "Bearer guess"})
        with pytest.raises(ApiKeyInvalid):
            await found(authenticator, {"x-api-key": "a", "x-api-secret": "guess"})
    assert copy.refreshes == 1


async def test_a_publishable_key_alone_is_told_where_it_may_be_used(settings: Settings) -> None:
    authenticator = Authenticator(settings, Copy(settings, key("a")))
    with pytest.raises(ApiKeyMissing, match="/checkout"):
        await found(authenticator, {"x-api-key": "a"})


async def test_a_rotated_key_works_until_its_overlap_ends(settings: Settings) -> None:
    ahead = key("a", expires_at_ms=now_ms() + 60_000, replaced_by="b")
    over = key("o", expires_at_ms=now_ms() - 1, replaced_by="b")
    authenticator = Authenticator(settings, Copy(settings, ahead, over))
    assert (await found(authenticator, bearer("a"))).id == "a"
    with pytest.raises(ApiKeyRevoked, match=r"replaced by b and expired at 20\d\d-"):
        await found(authenticator, bearer("o"))


async def test_the_halves_of_two_modes_do_not_make_a_pair(settings: Settings) -> None:
    keys = key("t"), key("l", mode="live"), key("x", mode="live", merchant_id="mer_2")
    authenticator = Authenticator(settings, Copy(settings, *keys))
    for named, held in (("t", "l"), ("l", "t")):
        with pytest.raises(LivemodeMismatch, match="both halves"):
            await found(authenticator, {"x-api-key": named, "x-api-secret": f"secret_{held}"})
    with pytest.raises(ApiKeyInvalid):  # Another merchant's secret tells nothing of our modes.
        await found(authenticator, {"x-api-key": "t", "x-api-secret": "secret_x"})


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_key_may_do_what_its_scopes_say_and_no_more(
    settings: Settings, scope: Scope
) -> None:
    only, others = key("a", scopes=[scope]), key("b", scopes=set(SCOPES) - {scope})
    authenticator = Authenticator(settings, Copy(settings, only, others))
    assert (await found(authenticator, bearer("a"), scope)).id == "a"
    with pytest.raises(PermissionDenied, match=scope):
        await found(authenticator, bearer("b"), scope)


async def test_a_key_from_before_there_were_scopes_may_do_all_but_operate(
    settings: Settings,
) -> None:
    authenticator = Authenticator(settings, Copy(settings, key("a")))
    for scope in DEFAULT_SCOPES:
        await found(authenticator, bearer("a"), scope)
    with pytest.raises(PermissionDenied):
        await found(authenticator, bearer("a"), "operator")


async def test_a_merchant_that_is_not_active_reads_and_changes_nothing(settings: Settings) -> None:
    copy = Copy(settings, key("a"), key("b", merchant_id="mer_2"))
    copy.now = copy.now.model_copy(update={"merchants": {"mer_1": merchant(active=False)}})
    authenticator = Authenticator(settings, copy)
    for scope in DEFAULT_SCOPES - READING:
        with pytest.raises(MerchantInactive):
            await found(authenticator, bearer("a"), scope)
        assert (await found(authenticator, bearer("b"), scope)).id == "b"
    for scope in READING:
        assert (await found(authenticator, bearer("a"), scope)).id == "a"
    copy.now = copy.now.model_copy(update={"merchants": {"mer_1": merchant(active=True)}})
    assert (await found(authenticator, bearer("a"), "payments:write")).id == "a"


def merchant(*, active: bool) -> Merchant:
    """The merchant of most keys here."""
    return Merchant(id="mer_1", name="Shop", require_keys=False, active=active)
