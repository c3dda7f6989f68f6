"""API keys: both styles, revoked ones, and reading through to PostgreSQL (08 R18)."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.http.auth import Authenticator
from headgate.http.problems_of_access import ApiKeyInvalid, ApiKeyMissing, ApiKeyRevoked
from headgate.http.problems_of_services import StoreAway
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey, Configuration, ConfigurationCopy
from headgate.tables.merchants import hash_secret
from headgate.tables.postgres import Postgres


def key(name: str, *, revoked: bool = False) -> ApiKey:
    """A key with the secret `secret_` + its name."""
    return ApiKey(
        id=name,
        merchant_id="mer_1",
        mode="test",
        secret_hash=hash_secret(f"secret_{name}"),
        revoked=revoked,
    )


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
    assert (await authenticator.key_of(pair)).id == "b"
    bearer = {"authorization": "Bearer secret_a"}
    assert (await authenticator.key_of(bearer)).id == "a"


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
        ({"authorization": "Bearer secret_r"}, ApiKeyRevoked),
        ({"x-api-key": "r", "x-api-secret": "secret_r"}, ApiKeyRevoked),
        ({"x-api-key": "r", "x-api-secret": "guess"}, ApiKeyInvalid),
    ],
)
async def test_credentials_that_do_not_hold_are_401(
    settings: Settings, headers: dict[str, str], problem: type[Exception]
) -> None:
    authenticator = Authenticator(settings, Copy(settings, key("a"), key("r", revoked=True)))
    with pytest.raises(problem):
        await authenticator.key_of(headers)


async def test_a_key_that_is_new_in_postgresql_is_read_through(settings: Settings) -> None:
    """08 R18."""
    copy = Copy(settings, key("a"))
    copy.later = Configuration(version=2, keys={"n": key("n")})
    authenticator = Authenticator(settings, copy)
    assert (await authenticator.key_of({"authorization": "Bearer secret_n"})).id == "n"


async def test_an_unknown_key_is_503_while_postgresql_is_away(settings: Settings) -> None:
    """08 R18: known keys go on working."""
    copy = Copy(settings, key("a"))
    copy.later = None
    authenticator = Authenticator(settings, copy)
    with pytest.raises(StoreAway):
        await authenticator.key_of({"authorization": "Bearer secret_n"})
    assert (await authenticator.key_of({"authorization": "Bearer secret_a"})).id == "a"


async def test_wrong_guesses_do_not_reach_postgresql_again_and_again(settings: Settings) -> None:
    copy = Copy(settings, key("a"))
    authenticator = Authenticator(settings, copy)
    for _ in range(20):
        with pytest.raises(ApiKeyInvalid):
            await authenticator.key_of({"authorization": "Bearer guess"})
        with pytest.raises(ApiKeyInvalid):
            await authenticator.key_of({"x-api-key": "a", "x-api-secret": "guess"})
    assert copy.refreshes == 1
