"""Who asks, for what, and how often.

Problem
├── Unauthorized 401           ApiKeyMissing, ApiKeyInvalid, ApiKeyRevoked
├── KeyRefused 400             ApiKeyNotActive, TooManyApiKeys
├── Forbidden 403              PermissionDenied, MerchantInactive, LivemodeMismatch
└── RateLimited 429
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from headgate.http.problems import Later, Problem


class Unauthorized(Problem):
    """Nobody is known by these credentials."""

    status = 401
    seed_code = "AUTHENTICATION_ERROR"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="headgate"'})

    @classmethod
    def example(cls) -> Self:
        """The problem as it may be answered."""
        return cls(cls.sample)


class ApiKeyMissing(Unauthorized):
    """The request brings no API key, or half of one."""

    code, title = "api_key_missing", "Missing API key"
    remedy = "Send `Authorization: Bearer` with the secret, or `X-Api-Key` and `X-Api-Secret`."
    sample = "Send X-Api-Key and X-Api-Secret, or Authorization: Bearer with the API secret."


class ApiKeyInvalid(Unauthorized):
    """The key or its secret is wrong; which of the two is not told."""

    code, title = "api_key_invalid", "Invalid API key"
    remedy = "Check that key and secret are one pair, complete, and of this host."
    sample = "The API key or its secret is wrong."


class ApiKeyRevoked(Unauthorized):
    """The key was revoked, or rotated and the overlap with its successor is over."""

    code, title = "api_key_revoked", "Revoked API key"
    remedy = "Use the key that replaced it; if nobody of yours revoked this one, ask who did."
    sample = "This API key was revoked; use another one."


class Forbidden(Problem):
    """It is known who asks, and this is not allowed to them."""

    status = 403
    seed_code = "AUTHENTICATION_ERROR"


class PermissionDenied(Forbidden):
    """The API key lacks the scope that this needs; `detail` names it."""

    code, title = "permission_denied", "Permission denied"
    remedy = "Use a key with the scope. A key's scopes never change: make a new one."
    sample = "This needs the scope refunds:write, which this API key does not have."


class MerchantInactive(Forbidden):
    """The merchant's account is closed or suspended: what was taken can be read, not more."""

    code, title = "merchant_inactive", "Merchant inactive"
    remedy = "Ask the operator of this gateway."
    sample = "This merchant is not active."


class LivemodeMismatch(Forbidden):
    """A test key asks for what only live keys may have or the other way round, or the halves of
    a test and a live key were sent as one pair."""

    code, title = "livemode_mismatch", "Wrong mode"
    remedy = "Use a key of the mode that `detail` names."
    sample = "This is possible in test mode only; this is a live key."


class KeyRefused(Problem):
    """The API key that this is about cannot be made, or cannot be replaced."""

    status = 400


class ApiKeyNotActive(KeyRefused):
    """A key that was revoked, or that another one replaces already, cannot be rotated."""

    code, title = "api_key_not_active", "API key not active"
    remedy = "Rotate the key that replaced it, or make a new one."
    sample = "The key key_test_abc123 is revoked."


class TooManyApiKeys(KeyRefused):
    """The merchant has as many keys of this mode as it may have."""

    code, title = "too_many_api_keys", "Too many API keys"
    remedy = "Revoke a key that nobody uses any more."
    sample = "There are 100 test keys that work; revoke one of them first."


class RateLimited(Later):
    """More requests than allowed. `reason` says whose limit it is: that of the API `key`, of the
    `object`, which is one payment or a merchant's receivers, or of the client's `address`. Nothing
    happened."""

    status, code, title = 429, "rate_limited", "Too many requests"
    remedy = "Wait for the seconds in `Retry-After`, then send the same request again."
    sample = "The API key may make 250 writes a second. Nothing happened; try again in 1 s."

    def __init__(
        self,
        detail: str,
        *,
        retry_after_s: int,
        headers: Mapping[str, str] | None = None,
        reason: str = "key",
    ) -> None:
        super().__init__(detail, retry_after_s=retry_after_s, headers=headers)
        self.more = {"reason": reason}

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """JSON schema: with whose limit it is."""
        described = super().schema()
        described["required"] = ["reason"]
        described["properties"] |= {
            "reason": {"enum": ["key", "object", "address"], "description": "Whose limit it is."}
        }
        return described
