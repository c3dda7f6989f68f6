"""Who asks, and may they: API keys, hashed, compared in constant time, with their scopes."""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping, Sequence

from headgate.http.exchange import Exchange
from headgate.http.limits import Limits
from headgate.http.problems import Problem
from headgate.http.problems_of_access import (
    ApiKeyInvalid,
    ApiKeyMissing,
    ApiKeyRevoked,
    LivemodeMismatch,
    MerchantInactive,
    PermissionDenied,
)
from headgate.http.problems_of_services import StoreAway
from headgate.streams.clock import iso, now_ms
from headgate.streams.coalesce import Coalescer
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables import acting
from headgate.tables.configuration import ApiKey, Configuration, ConfigurationCopy
from headgate.tables.merchants import hash_secret
from headgate.tables.scopes import READING, Scope

UNKNOWN_MAX = 10_000
"""Credentials remembered as unknown; a flood of others costs a refresh that all of it shares."""
_NOBODY = bytes(32)


class Authenticator:
    """Finds the API key of a request. Both styles are hashed alike, so both take equal time."""

    def __init__(self, settings: Settings, configuration: ConfigurationCopy) -> None:
        self.limits = Limits(settings)
        self._copy = configuration
        self._refreshed_for_s = settings.configuration_refresh_ms / 1000
        self._retry_after_s = settings.retry_after_s
        self._secret_key = settings.secret_key
        self._scratch = settings.scratch
        self._read = configuration.now
        self._by_hash: dict[bytes, ApiKey] = {}
        self._unknown: dict[bytes, float] = {}
        self._refreshes: Coalescer[None, None] = Coalescer(self._refresh, batch_max=UNKNOWN_MAX)
        self._index(configuration.now)

    async def key_of(self, exchange: Exchange, scope: Scope) -> ApiKey:
        """The API key behind the request, which may do what `scope` names.

        Raises ApiKeyMissing, ApiKeyInvalid, ApiKeyRevoked, a Forbidden or RateLimited; StoreAway
        when the key is not known here and PostgreSQL, which may know it, is away (08 R18).
        """
        key_id, secret = _credentials(exchange.headers)
        if key_id is None and secret.startswith(acting.PREFIX):
            return await self._acting(exchange, secret, scope)
        offered = hash_secret(secret)
        found = self._look_up(key_id, offered)
        if found is None:
            self.limits.count_wrong_key(exchange)
            found = await self._read_through(key_id, offered)
        if found is None:
            raise self._refusal(key_id, offered)
        exchange.asked_by(found)
        _check_alive(found)
        self.limits.count(exchange, found)
        self._check_allowed(found, scope)
        return found

    async def _acting(self, exchange: Exchange, token: str, scope: Scope) -> ApiKey:
        """The key that stands for a person who acts through the dashboard. Its id is the actor,
        whom limits, facts and the audit name."""
        try:
            key = acting.verify(self._secret_key, token, now_ms())
        except acting.TokenRefused as error:
            self.limits.count_wrong_key(exchange)
            raise ApiKeyInvalid(str(error)) from None
        await self._check_merchant(key.merchant_id)
        exchange.asked_by(key)
        self.limits.count(exchange, key)
        self._check_allowed(key, scope)
        return key

    async def _check_merchant(self, merchant_id: str) -> None:
        """A token is signed by us, so a merchant that is not known here is a new one, or none."""
        if merchant_id not in self._copy.now.merchants:
            await self._refreshed("This merchant is not known here")
        if merchant_id not in self._copy.now.merchants:
            raise ApiKeyInvalid("The acting token is for a merchant that does not exist.")
        self._index_if_newer()

    def _look_up(self, key_id: str | None, offered: bytes) -> ApiKey | None:
        self._index_if_newer()
        key = self._by_hash.get(offered) if key_id is None else self._read.keys.get(key_id)
        # An unknown key is compared as well, so that time does not tell it from a wrong secret.
        same = hmac.compare_digest(key.secret_hash if key else _NOBODY, offered)
        return key if same else None

    def _refusal(self, key_id: str | None, offered: bytes) -> Problem:
        """Why nobody is let in. Who holds one of a merchant's secrets may know of its modes."""
        named, held = self._read.keys.get(key_id or ""), self._by_hash.get(offered)
        if named and held and named.merchant_id == held.merchant_id and named.mode != held.mode:
            return LivemodeMismatch(
                f"X-Api-Key is a {named.mode} key, but X-Api-Secret is of a {held.mode} key. Send "
                "both halves of one pair."
            )
        return ApiKeyInvalid("The API key or its secret is wrong.")

    def _check_allowed(self, key: ApiKey, scope: Scope) -> None:
        if self._scratch and key.mode == "live":  # 08 R35
            raise LivemodeMismatch(
                f"This is a scratch namespace, which takes test keys only; {key.id} is a live key."
            )
        if scope not in key.scopes:
            raise PermissionDenied(f"This needs the scope {scope}, which {key.id} does not have.")
        merchant = self._read.merchants.get(key.merchant_id)
        if merchant is not None and not merchant.active and scope not in READING:
            raise MerchantInactive("This merchant is not active: it can read, and change nothing.")

    def _index_if_newer(self) -> None:
        if self._copy.now is not self._read:
            self._index(self._copy.now)

    def _index(self, configuration: Configuration) -> None:
        self._read = configuration
        self._by_hash = {key.secret_hash: key for key in configuration.keys.values()}
        self._unknown.clear()

    def _known_as_unknown(self, key_id: str | None, offered: bytes) -> bool:
        """Whether asking PostgreSQL is pointless: its keys never change their secret, and what
        it did not know a moment ago it will tell us with the next refresh."""
        if key_id is not None and key_id in self._read.keys:
            return True
        if len(self._unknown) >= UNKNOWN_MAX:
            self._unknown.clear()
        return self._unknown.get(offered, 0.0) > time.monotonic()

    async def _read_through(self, key_id: str | None, offered: bytes) -> ApiKey | None:
        """What PostgreSQL knows of a key that is not known here (08 R18)."""
        if self._known_as_unknown(key_id, offered):
            return None
        await self._refreshed("This API key is not known here")
        found = self._look_up(key_id, offered)
        if found is None:
            self._unknown[offered] = time.monotonic() + self._refreshed_for_s
        return found

    async def _refreshed(self, why: str) -> None:
        try:
            await self._refreshes.submit(None)
        except StoreUnavailable:
            raise StoreAway(
                f"{why}, and the database that may know it is away.",
                retry_after_s=self._retry_after_s,
            ) from None

    async def _refresh(self, asked: Sequence[None]) -> Sequence[None]:
        await self._copy.refresh()
        return asked


def _check_alive(key: ApiKey) -> None:
    if key.revoked:
        raise ApiKeyRevoked("This API key was revoked; use another one.")
    if key.expires_at_ms is not None and key.expires_at_ms <= now_ms():
        raise ApiKeyRevoked(
            f"This API key was replaced by {key.replaced_by} and expired at "
            f"{iso(key.expires_at_ms)}; use the new one."
        )


def _credentials(headers: Mapping[str, str]) -> tuple[str | None, str]:
    """The key id, None when only a secret was sent, and the secret."""
    authorization = headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise ApiKeyInvalid("Authorization must be: Bearer, a space, and the API secret.")
        return None, token.strip()
    key_id, secret = headers.get("x-api-key"), headers.get("x-api-secret")
    if not key_id or not secret:
        raise ApiKeyMissing(_lacking(key_id))
    return key_id, secret


def _lacking(key_id: str | None) -> str:
    if not key_id:
        return "Send X-Api-Key and X-Api-Secret, or Authorization: Bearer with the API secret."
    return (
        "X-Api-Key alone is the publishable half of a pair: it may only be used for /checkout with "
        "a client secret. Send X-Api-Secret with it, or Authorization: Bearer with the API secret."
    )
