"""Who holds a client secret: the customer of one checkout session (06 §5.5)."""

from __future__ import annotations

import hmac
import re

from headgate.http.checkout_origins import publishable
from headgate.http.exchange import Exchange
from headgate.http.limits import Limits
from headgate.http.problems_of_access import MerchantInactive
from headgate.http.problems_of_checkout import ClientSecretInvalid
from headgate.streams.secrets import CheckoutSecrets
from headgate.streams.settings import Settings
from headgate.tables import checkout
from headgate.tables.checkout import StoredSession
from headgate.tables.configuration import ApiKey, ConfigurationCopy
from headgate.tables.merchants import hash_secret
from headgate.tables.postgres import Postgres
from headgate.tables.scopes import READING

SECRET = re.compile(r"(cs_[a-z2-7]{26})_secret_[A-Za-z0-9_=-]{1,64}")


class CheckoutAccess:
    """Lets customers in. What they may do is what their session says, and nothing of its
    merchant's."""

    def __init__(
        self,
        settings: Settings,
        postgres: Postgres,
        configuration: ConfigurationCopy,
        limits: Limits,
    ) -> None:
        self.secrets = CheckoutSecrets(settings.secret_key)
        self.postgres = postgres
        self.configuration = configuration
        self.limits = limits

    async def session(self, exchange: Exchange) -> tuple[StoredSession, ApiKey]:
        """The session that the request's client secret opens, and its customer in place of an API
        key. Raises ClientSecretInvalid, RateLimited, StoreUnavailable."""
        found = await self._opened(exchange.headers.get("authorization", ""))
        if found is None or not self._of_key(found, exchange.headers.get("x-api-key")):
            self.limits.count_wrong_key(exchange)
            raise ClientSecretInvalid("This client secret opens no checkout session.")
        customer = customer_of(found)
        self.limits.count(exchange, customer)
        return found, customer

    def check_active(self, session: StoredSession) -> None:
        """Raises MerchantInactive when nobody can pay this merchant."""
        merchant = self.configuration.now.merchants.get(session.merchant_id)
        if merchant is not None and not merchant.active:
            raise MerchantInactive("This merchant takes no payments at the moment.")

    async def _opened(self, authorization: str) -> StoredSession | None:
        scheme, _, secret = authorization.partition(" ")
        shape = SECRET.fullmatch(secret.strip())
        if scheme.lower() != "bearer" or shape is None:
            return None
        found = await checkout.find(self.postgres, shape[1])
        if found is None:
            return None
        same = hmac.compare_digest(found.secret_hash, hash_secret(secret.strip()))
        return found if same else None

    def _of_key(self, session: StoredSession, key_id: str | None) -> bool:
        """Whether the publishable key, if one was sent, is of the session's merchant and mode."""
        if key_id is None:
            return True
        key = publishable(self.configuration.now, key_id)
        whose = (session.merchant_id, session.mode)
        return key is not None and (key.merchant_id, key.mode) == whose


def customer_of(session: StoredSession) -> ApiKey:
    """Who acts: the session, for its merchant. No secret opens it, and it stands nowhere."""
    return ApiKey(
        id=session.id,
        merchant_id=session.merchant_id,
        mode=session.mode,
        secret_hash=b"",
        revoked=False,
        scopes=READING,
    )
