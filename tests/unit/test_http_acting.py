"""Acting tokens at the edge: a key like any other, whose id is the person."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.http.auth import Authenticator
from headgate.http.exchange import ROUTE, Exchange
from headgate.http.problems_of_access import (
    ApiKeyInvalid,
    MerchantInactive,
    PermissionDenied,
    RateLimited,
)
from headgate.http.problems_of_services import StoreAway
from headgate.streams.clock import now_ms
from headgate.streams.errors import StoreUnavailable
from headgate.streams.secrets import draw_secret_key
from headgate.streams.settings import Settings
from headgate.tables.acting import LIFE_MS, mint
from headgate.tables.configuration import ApiKey, Configuration, ConfigurationCopy, Merchant
from headgate.tables.postgres import Postgres
from headgate.tables.scopes import Scope

KEY = draw_secret_key()
SHOP = Merchant(id="mer_1", name="Shop", require_keys=False)
ONE, TWO = "operator:opr_1", "operator:opr_2"


class Copy(ConfigurationCopy):
    """A configuration with one merchant, whose PostgreSQL knows `later` or is away."""

    def __init__(self, settings: Settings, merchant: Merchant = SHOP) -> None:
        super().__init__(settings, Postgres(settings))
        self.now = Configuration(version=1, merchants={merchant.id: merchant})
        self.later: Configuration | None = self.now

    async def refresh(self) -> Configuration:
        """Take over what PostgreSQL has."""
        if self.later is None:
            raise StoreUnavailable("away")
        self.now = self.later
        return self.now


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An edge that may verify, with small limits."""
    return Settings(state_dir=tmp_path, secret_key=KEY, writes_per_s_test=2, wrong_keys_per_min=2)


def token(actor: str = ONE, merchant: str = "mer_1", age_ms: int = 0, key: str = KEY) -> str:
    """A token that may refund."""
    scopes = ["payments:read", "refunds:write"]
    return mint(key, actor, merchant, "test", scopes, now_ms() - age_ms)


async def asked(
    authenticator: Authenticator,
    secret: str,
    scope: Scope = "refunds:write",
    method: str = "POST",
) -> ApiKey:
    """The key behind a request with this token."""
    headers = [(b"authorization", b"Bearer " + secret.encode())]
    scope_of_asgi = {"method": method, "headers": headers, ROUTE: "/", "client": ("10.0.0.1", 1)}
    return await authenticator.key_of(Exchange(scope_of_asgi), scope)


async def test_a_token_is_a_key_of_its_merchant_in_the_name_of_the_person(
    settings: Settings,
) -> None:
    key = await asked(Authenticator(settings, Copy(settings)), token())
    assert (key.id, key.merchant_id, key.mode) == (ONE, "mer_1", "test")


@pytest.mark.parametrize(
    "secret",
    [token(age_ms=LIFE_MS), token(key=draw_secret_key()), token()[:-1], "hga_", "hga_a.b"],
)
async def test_a_token_that_does_not_hold_is_401_and_counts_as_a_wrong_key(
    settings: Settings, secret: str
) -> None:
    authenticator = Authenticator(settings, Copy(settings))
    for _ in range(settings.wrong_keys_per_min):
        with pytest.raises(ApiKeyInvalid, match="acting token"):
            await asked(authenticator, secret)
    with pytest.raises(RateLimited):
        await asked(authenticator, secret)
    await asked(authenticator, token())  # A right one is always taken.


async def test_a_token_is_no_secret_of_a_pair(settings: Settings) -> None:
    authenticator = Authenticator(settings, Copy(settings))
    pair = [(b"x-api-key", b"key_1"), (b"x-api-secret", token().encode())]
    with pytest.raises(ApiKeyInvalid):
        await authenticator.key_of(Exchange({"method": "GET", "headers": pair}), "payments:read")


async def test_a_token_may_do_what_its_scopes_say(settings: Settings) -> None:
    with pytest.raises(PermissionDenied, match="payments:write"):
        await asked(Authenticator(settings, Copy(settings)), token(), "payments:write")


async def test_limits_are_counted_by_person(settings: Settings) -> None:
    authenticator = Authenticator(settings, Copy(settings))
    for _ in range(settings.writes_per_s_test):
        await asked(authenticator, token())
    with pytest.raises(RateLimited, match=ONE):
        await asked(authenticator, token())
    await asked(authenticator, token(TWO))


async def test_a_merchant_that_is_not_active_is_read_and_changed_by_nobody(
    settings: Settings,
) -> None:
    held = SHOP.model_copy(update={"active": False})
    authenticator = Authenticator(settings, Copy(settings, held))
    await asked(authenticator, token(), "payments:read", "GET")
    with pytest.raises(MerchantInactive):
        await asked(authenticator, token())


async def test_a_merchant_that_is_new_is_read_through_and_none_is_401(settings: Settings) -> None:
    copy = Copy(settings)
    authenticator = Authenticator(settings, copy)
    new = SHOP.model_copy(update={"id": "mer_2", "active": False})
    copy.later = Configuration(version=2, merchants={"mer_1": SHOP, "mer_2": new})
    with pytest.raises(MerchantInactive):
        await asked(authenticator, token(merchant="mer_2"))
    with pytest.raises(ApiKeyInvalid, match="does not exist"):
        await asked(authenticator, token(merchant="mer_3"))
    copy.later = None
    with pytest.raises(StoreAway):
        await asked(authenticator, token(merchant="mer_3"))
