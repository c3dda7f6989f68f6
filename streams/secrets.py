"""Secrets: drawn or derived, sealed for the database, and masked for people."""

from __future__ import annotations

import binascii
import hashlib
import hmac
import os
from base64 import b64decode, b64encode, urlsafe_b64encode
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from headgate.streams.errors import SecretUnreadable
from headgate.streams.signatures import SECRET_PREFIX

KEY_BYTES = 32
NONCE_BYTES = 12
SECRET_BYTES = 32
_FORMAT = "g1"
_ELLIPSIS = "…"
_SHOWN = 4
_SHORTEST_SHOWN = 16
"""Of a secret shorter than this nothing is shown: four letters would be too large a part."""


class SecretBox:
    """Seals short texts with AES-256-GCM under the key of `HEADGATE_SECRET_KEY`.

    A sealed text is `g1.<key id>.<base64 of nonce and ciphertext>`; the key id is derived from
    the key, and bound to the ciphertext, so that a text under another key is told from a
    damaged one.
    """

    def __init__(self, key_base64: str) -> None:
        key = _key_bytes(key_base64)
        self.key_id = hashlib.sha256(b"headgate key id" + key).hexdigest()[:8]
        self._cipher = AESGCM(key)
        self._prefix = f"{_FORMAT}.{self.key_id}."

    def __repr__(self) -> str:
        return f"SecretBox(key_id={self.key_id!r})"

    def seal(self, text: str) -> str:
        """Encrypt a text; sealing it twice gives two different results."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, text.encode(), self._prefix.encode())
        return self._prefix + b64encode(nonce + sealed).decode()

    def open(self, text: str) -> str:
        """The sealed text in clear. Raises SecretUnreadable: another key, damage, no seal."""
        if not text.startswith(self._prefix):
            raise SecretUnreadable(self._why_not_ours(text))
        try:
            raw = b64decode(text[len(self._prefix) :], validate=True)
            clear = self._cipher.decrypt(
                raw[:NONCE_BYTES], raw[NONCE_BYTES:], self._prefix.encode()
            )
            return clear.decode()
        except (binascii.Error, InvalidTag, ValueError):
            raise SecretUnreadable(
                "A stored secret is damaged: it names our key but does not open with it. "
                "Restore the row from a backup, or rotate the secret."
            ) from None

    def _why_not_ours(self, text: str) -> str:
        form, _, rest = text.partition(".")
        if form == _FORMAT and "." in rest:
            return (
                f"A stored secret was sealed under the key {rest.partition('.')[0][:8]!r}, but "
                f"HEADGATE_SECRET_KEY is {self.key_id!r}. Start with the key that sealed it."
            )
        return "A stored secret is not sealed by Headgate; it was written by something else."


class ApiSecrets:
    """Derives API secrets from HEADGATE_SECRET_KEY and the Idempotency-Key of the request that
    makes the key. So its repeat can be shown the same secret, and yet nothing is stored that opens
    it: neither our key nor the client's alone is enough."""

    def __init__(self, key_base64: str) -> None:
        self._key = derived_key(key_base64, b"headgate api secret")

    def of(self, key_id: str, mode: str, idempotency_key: str) -> str:
        """The secret of an API key: 192 bits. Key ids have one length, so no two texts meet."""
        said = f"{key_id} {idempotency_key}".encode()
        digest = hmac.digest(self._key, said, "sha256")
        return f"secret_{mode}_{urlsafe_b64encode(digest[:24]).decode()}"


def derived_key(key_base64: str, purpose: bytes) -> bytes:
    """The key of one purpose: 32 bytes that tell nothing of HEADGATE_SECRET_KEY or of each other.
    Raises SecretUnreadable when there is no key, or it is none."""
    return hmac.digest(_key_bytes(key_base64), purpose, "sha256")


class CheckoutSecrets:
    """Derives the client secret of a checkout session from HEADGATE_SECRET_KEY, so that only its
    hash is stored. It begins with the session's id and opens that one alone."""

    def __init__(self, key_base64: str) -> None:
        self._key = derived_key(key_base64, b"headgate checkout secret")

    def of(self, session_id: str) -> str:
        """The client secret: the session's id and 192 bits."""
        digest = hmac.digest(self._key, session_id.encode(), "sha256")
        return f"{session_id}_secret_{urlsafe_b64encode(digest[:24]).decode()}"


def _key_bytes(key_base64: str) -> bytes:
    advice = "Draw one with: head -c 32 /dev/urandom | base64"
    if not key_base64:
        raise SecretUnreadable(
            f"HEADGATE_SECRET_KEY is not set; it seals webhook secrets. {advice}"
        )
    try:
        key = b64decode(key_base64, validate=True)
    except (binascii.Error, ValueError):
        raise SecretUnreadable(f"HEADGATE_SECRET_KEY is not base64. {advice}") from None
    if len(key) != KEY_BYTES:
        raise SecretUnreadable(
            f"HEADGATE_SECRET_KEY has {len(key)} bytes, it must have {KEY_BYTES}. {advice}"
        )
    return key


def draw_secret_key() -> str:
    """A new key for a SecretBox: 32 random bytes in base64."""
    return b64encode(os.urandom(KEY_BYTES)).decode()


def draw_webhook_secret() -> str:
    """A new webhook secret, as Standard Webhooks asks: `whsec_` + base64 of 32 random bytes."""
    return SECRET_PREFIX + b64encode(os.urandom(SECRET_BYTES)).decode()


def mask(secret: str) -> str:
    """The secret as lists show it: enough to tell two apart, too little to sign with."""
    prefix = SECRET_PREFIX if secret.startswith(SECRET_PREFIX) else ""
    shown = secret[-_SHOWN:] if len(secret) >= _SHORTEST_SHOWN else ""
    return prefix + _ELLIPSIS + shown


def is_masked(secret: str) -> bool:
    """Whether a client sent back what `mask` shows; it means unchanged (08 R33)."""
    return _ELLIPSIS in secret


def signature(secret_key: str, purpose: bytes, text: str) -> str:
    """HMAC-SHA256 of a text by a key for this purpose alone, in base64url without padding. Raises
    SecretUnreadable when there is no key."""
    digest = hmac.digest(_signing_key(secret_key, purpose), text.encode(), "sha256")
    return urlsafe_b64encode(digest).decode().rstrip("=")


@lru_cache(maxsize=16)  # One per purpose in a process; tests have a few.
def _signing_key(secret_key: str, purpose: bytes) -> bytes:
    return derived_key(secret_key, purpose)
