"""Webhook signatures: Standard Webhooks v1 and the seed's header, made and verified."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from functools import lru_cache

from headgate.streams.errors import SignatureInvalid
from headgate.streams.signatures_asymmetric import asymmetric_signature

SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets begin with, not a secret
SEED_HEADER = "X-Webhook-Signature"
TOLERANCE_S = 300
"""How far the timestamp of a webhook may be from the receiver's clock (Standard Webhooks)."""


@lru_cache(maxsize=1024)
def signing_key(secret: str) -> bytes:
    """The HMAC key of a secret: `whsec_` + base64 is decoded, anything else is used as the bytes
    that it is (08 R33), also `whsec_` followed by something that is not base64."""
    if not secret:
        raise ValueError("A webhook secret must not be empty; draw one with draw_webhook_secret().")
    if secret.startswith(SECRET_PREFIX):
        try:
            key = b64decode(secret[len(SECRET_PREFIX) :], validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if key:
            return key
    return secret.encode()


def standard_form(secret: str) -> str:
    """The secret as verifiers of Standard Webhooks take it: `whsec_` + base64 of its key.

    Owners of a secret that is not `whsec_` + base64 are shown this form as well (08 R33)."""
    return SECRET_PREFIX + b64encode(signing_key(secret)).decode()


def sign(
    secrets: Sequence[str],
    event_id: str,
    timestamp: int,
    body: bytes,
    signing_key: str | None = None,
) -> dict[str, str]:
    """The headers that sign one attempt.

    `secrets` are all live ones, oldest first: each gives one `webhook-signature`, the first one
    also gives the seed's header until its overlap has ended (08 R33). `event_id` never changes
    between attempts; `timestamp` is the attempt's own, in whole Unix seconds. `signing_key` adds
    a `v1a` signature behind the others, never in place of them: few receivers verify it.
    """
    if not secrets:
        raise ValueError(f"Event {event_id} cannot be signed: the endpoint has no secret.")
    if not event_id or "." in event_id:
        raise ValueError(f"The event id {event_id!r} cannot be signed: it is empty or has a dot.")
    content = _content(event_id, str(timestamp), body)
    signatures = [_signature(secret, content) for secret in secrets]
    if signing_key is not None:
        signatures.append(asymmetric_signature(signing_key, content))
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
        SEED_HEADER: seed_signature(secrets[0], body),
    }


def seed_signature(secret: str, body: bytes) -> str:
    """The seed's `X-Webhook-Signature`: hex HMAC-SHA256 of the body under the secret's text."""
    return hmac.digest(secret.encode(), body, "sha256").hex()


def verify(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: float,
    tolerance_s: int = TOLERANCE_S,
) -> None:
    """Check a Standard Webhooks v1 signature, in constant time; `now` is in Unix seconds.

    One matching signature among several is enough. Raises SignatureInvalid with the reason.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    event_id = _header(lower, "webhook-id")
    timestamp = _header(lower, "webhook-timestamp")
    offered = _header(lower, "webhook-signature").split(" ")
    _check_timestamp(timestamp, now, tolerance_s)
    expected = _signature(secret, _content(event_id, timestamp, body)).encode()
    if not any(hmac.compare_digest(expected, one.encode()) for one in offered):
        raise SignatureInvalid(
            "No signature in webhook-signature matches: another secret was used, or the body was "
            "changed on its way. Verify the bytes as they arrived, before parsing them."
        )


def verify_seed(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    """Check the seed's `X-Webhook-Signature`, in constant time. It holds no time and no id, so
    a repeat cannot be told from the first; prefer `verify`. Raises SignatureInvalid."""
    lower = {name.lower(): value for name, value in headers.items()}
    offered = _header(lower, SEED_HEADER.lower())
    if not hmac.compare_digest(seed_signature(secret, body).encode(), offered.encode()):
        raise SignatureInvalid(
            f"{SEED_HEADER} does not match: another secret was used, or the body was changed."
        )


def _content(event_id: str, timestamp: str, body: bytes) -> bytes:
    return f"{event_id}.{timestamp}.".encode() + body


def _signature(secret: str, content: bytes) -> str:
    return "v1," + b64encode(hmac.digest(signing_key(secret), content, "sha256")).decode()


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise SignatureInvalid(f"The header {name} is missing: this is not a signed webhook.")
    return value


def _check_timestamp(timestamp: str, now: float, tolerance_s: int) -> None:
    # The length keeps hostile digits cheap; Unix seconds have ten for the next 260 years.
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):  # noqa: PLR2004
        raise SignatureInvalid(
            f"webhook-timestamp is {timestamp[:40]!r}; it must be whole Unix seconds."
        )
    age_s = now - int(timestamp)
    if abs(age_s) > tolerance_s:
        direction = "old" if age_s > 0 else "in the future"
        raise SignatureInvalid(
            f"webhook-timestamp is {abs(age_s):.0f} s {direction}; {tolerance_s} s are allowed. "
            "Either this is a replay of an old request or one of the two clocks is wrong."
        )
