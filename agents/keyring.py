"""What the attempts to an endpoint are signed with and carry, opened from its seals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import orjson

from headgate.streams.custom_headers import why_not
from headgate.streams.secrets import SecretBox
from headgate.tables.configuration import Endpoint

ENDPOINTS_MAX = 4096
"""Endpoints whose keys are kept in clear at most; opening them again costs a few decryptions."""


class TimedSecret(NamedTuple):
    """A secret in clear, with the end of its overlap; None is the current one's."""

    secret: str
    expires_at_ms: int | None = None


class Keys(NamedTuple):
    """An endpoint's keys in clear. Never log one of these."""

    timed: Sequence[TimedSecret]
    """Oldest first."""
    headers: dict[str, str]
    """The merchant's own headers."""
    signing_key: str | None
    """For `v1a` signatures, when the endpoint asked for them."""

    def live(self, at_ms: int) -> list[str]:
        """The secrets that sign an attempt at this moment, oldest first (08 R33)."""
        return [
            timed.secret
            for timed in self.timed
            if timed.expires_at_ms is None or at_ms < timed.expires_at_ms
        ]


class Keyring:
    """Opens seals once per reading of the configuration, not once per attempt."""

    def __init__(self, box: SecretBox) -> None:
        self._box = box
        self._opened: dict[str, tuple[Endpoint, Keys]] = {}

    def of(self, endpoint: Endpoint, at_ms: int) -> Keys:
        """The endpoint's keys. Raises SecretUnreadable; what has expired need not open."""
        known = self._opened.get(endpoint.id)
        if known is not None and known[0] is endpoint:
            return known[1]
        keys = self._open(endpoint, at_ms)
        if len(self._opened) >= ENDPOINTS_MAX:
            self._opened.clear()
        self._opened[endpoint.id] = (endpoint, keys)
        return keys

    def _open(self, endpoint: Endpoint, at_ms: int) -> Keys:
        older = [
            TimedSecret(self._box.open(one.sealed), one.expires_at_ms)
            for one in endpoint.older_secrets
            if one.expires_at_ms is None or at_ms < one.expires_at_ms
        ]
        sealed_key = endpoint.sealed_signing_key
        return Keys(
            timed=(*older, TimedSecret(self._box.open(endpoint.sealed_secret))),
            headers=self._headers(endpoint.sealed_headers) if endpoint.sealed_headers else {},
            signing_key=self._box.open(sealed_key) if sealed_key else None,
        )

    def _headers(self, sealed: str) -> dict[str, str]:
        """The rules may have become stricter since these were stored: what breaks one stays here,
        for a header of ours that is sent twice would make the signature worthless."""
        stored: dict[str, str] = orjson.loads(self._box.open(sealed))
        return {name: value for name, value in stored.items() if why_not(name, value) is None}
