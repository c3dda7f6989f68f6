"""Webhook signatures of Standard Webhooks `v1a`: ed25519, for receivers that want no secret."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode, urlsafe_b64encode
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNING_KEY_PREFIX = "whsk_"
PUBLIC_KEY_PREFIX = "whpk_"
VERSION = "v1a"
_KEY_BYTES = 32


def draw_signing_key() -> str:
    """A new private key: `whsk_` + base64 of its 32 random bytes. It never leaves this house."""
    return SIGNING_KEY_PREFIX + b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


def public_key(signing_key: str) -> str:
    """What receivers verify with: `whpk_` + base64 of the 32 bytes."""
    return PUBLIC_KEY_PREFIX + b64encode(_public_bytes(signing_key)).decode()


def public_jwk(signing_key: str, key_id: str) -> dict[str, str]:
    """The public key as a member of a JSON Web Key Set (RFC 8037)."""
    x = urlsafe_b64encode(_public_bytes(signing_key)).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": key_id, "x": x}


def asymmetric_signature(signing_key: str, content: bytes) -> str:
    """`v1a,` + base64 of the signature of `{id}.{timestamp}.{body}`; the same every time."""
    return f"{VERSION},{b64encode(_private(signing_key).sign(content)).decode()}"


def is_signed(public: str, content: bytes, offered: str) -> bool:
    """Whether one word of `webhook-signature` is the `v1a` signature of this content. Raises
    ValueError when `public` is not `whpk_` + base64 of 32 bytes."""
    key = Ed25519PublicKey.from_public_bytes(_decoded(public, PUBLIC_KEY_PREFIX))
    version, _, text = offered.partition(",")
    try:
        key.verify(b64decode(text, validate=True), content)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return version == VERSION


@lru_cache(maxsize=1024)
def _private(signing_key: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_decoded(signing_key, SIGNING_KEY_PREFIX))


def _public_bytes(signing_key: str) -> bytes:
    return _private(signing_key).public_key().public_bytes_raw()


def _decoded(text: str, prefix: str) -> bytes:
    """The bytes of a key. The message never repeats the text: it may be a private key."""
    try:
        key = b64decode(text.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(prefix) or len(key) != _KEY_BYTES:
        raise ValueError(f"An ed25519 key is written {prefix} + base64 of {_KEY_BYTES} bytes.")
    return key
