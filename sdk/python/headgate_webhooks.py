"""Verify webhooks of Headgate, or of anyone else who follows Standard Webhooks.

One file, Python 3.9 or newer, standard library only: copy it into your project.

    from headgate_webhooks import NotVerified, Verifier

    verifier = Verifier("whsec_...")  # during a rotation: Verifier("whsec_old", "whsec_new")

    def receive(request):
        try:
            webhook = verifier.verify(request.body, request.headers)  # the raw bytes, not parsed
        except NotVerified as refused:
            return 400, str(refused)
        if already_handled(webhook.id):  # keep the ids for 7 days at least
            return 200, ""
        ...
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Union

__all__ = ["NotVerified", "Verifier", "Webhook"]

TOLERANCE_S = 300
"""How far the timestamp of a webhook may be from this machine's clock."""

Text = Union[str, bytes]
Headers = Union[Mapping[str, str], Iterable[tuple[Text, Text]]]


class NotVerified(Exception):
    """The request is not a webhook that somebody who knows the secret has just signed.

    `code` is one of `header_missing`, `timestamp_invalid`, `too_old`, `in_the_future`,
    `signature_mismatch` and `not_json`; the text says more, and is safe to answer with.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Webhook(NamedTuple):
    """A verified webhook."""

    id: str
    """The event's id: the same in every repetition. Handle each one once."""
    timestamp: int
    """When this attempt was signed, in Unix seconds."""
    payload: Any
    """The body, parsed."""


class Verifier:
    """Verifies with any number of keys; one that fits is enough.

    A key is a secret (`whsec_` and base64, or any other text, which is then used as it is) or a
    public key (`whpk_` and base64) for the ed25519 signatures of endpoints that asked for them.
    Those take a few milliseconds here, secrets take microseconds.
    """

    def __init__(self, *keys: str, tolerance_s: int = TOLERANCE_S) -> None:
        if not keys or not all(keys):
            raise ValueError("A Verifier needs a key: the endpoint's secret, or its public key.")
        self._secrets = [_secret(key) for key in keys if not key.startswith("whpk_")]
        self._public_keys = [_public_key(key) for key in keys if key.startswith("whpk_")]
        self._tolerance_s = tolerance_s

    def verify(self, body: Text, headers: Headers, *, now: float | None = None) -> Webhook:
        """The webhook in this request. Raises NotVerified.

        `body` is the body as it arrived, before anything parsed it; `headers` is a mapping or
        pairs, with names in any case; `now` is in Unix seconds and defaults to this moment.
        """
        raw = _raw(body)
        given = _lower(headers)
        event_id, timestamp = _header(given, "webhook-id"), _header(given, "webhook-timestamp")
        offered = _header(given, "webhook-signature").split(" ")
        self._check_time(timestamp, time.time() if now is None else now)
        content = f"{event_id}.{timestamp}.".encode() + raw
        if not (self._is_sealed(content, offered) or self._is_signed(content, offered)):
            raise NotVerified(
                "signature_mismatch",
                "No signature in webhook-signature fits: another secret was used, or the body was "
                "changed on its way. Verify the bytes as they arrived, before parsing them.",
            )
        try:
            return Webhook(event_id, int(timestamp), json.loads(raw))
        except ValueError:
            raise NotVerified("not_json", "The body is signed, but it is not JSON.") from None

    def _check_time(self, timestamp: str, now: float) -> None:
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            raise NotVerified("timestamp_invalid", "webhook-timestamp is not whole Unix seconds.")
        age_s = now - int(timestamp)
        if abs(age_s) > self._tolerance_s:
            code, words = ("too_old", "old") if age_s > 0 else ("in_the_future", "in the future")
            raise NotVerified(
                code,
                f"webhook-timestamp is {abs(age_s):.0f} s {words}; {self._tolerance_s} s are "
                "allowed. Either this is a replay, or one of the two clocks is wrong.",
            )

    def _is_sealed(self, content: bytes, offered: list[str]) -> bool:
        """Whether one of the `v1` signatures was made with one of the secrets."""
        made = [b"v1," + _base64_of(secret, content) for secret in self._secrets]
        given = [word.encode() for word in offered]
        # A list: all are compared, however early one fits.
        return any([hmac.compare_digest(one, other) for one in made for other in given])  # noqa: C419

    def _is_signed(self, content: bytes, offered: list[str]) -> bool:
        """Whether one of the `v1a` signatures was made with the key behind a public one."""
        signatures = [_decoded(word[4:]) for word in offered if word.startswith("v1a,")]
        return any(_ed25519(key, content, s) for key in self._public_keys for s in signatures)


def _raw(body: object) -> bytes:
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise TypeError("Verify the body as it arrived, bytes or text, before it is parsed.")


def _secret(key: str) -> bytes:
    """`whsec_` and base64 is decoded; everything else is the bytes that it is."""
    return (_decoded(key[6:]) if key.startswith("whsec_") else b"") or key.encode()


def _public_key(key: str) -> bytes:
    raw = _decoded(key[5:])
    if len(raw) != 32 or _point(raw) is None:
        raise ValueError("A public key is written whpk_ and base64 of its 32 bytes.")
    return raw


def _decoded(text: str) -> bytes:
    """Nothing when it is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _base64_of(secret: bytes, content: bytes) -> bytes:
    return base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest())


def _lower(headers: Headers) -> dict[str, str]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return {_text(name).lower(): _text(value) for name, value in pairs}


def _text(text: Text) -> str:
    return text.decode("latin-1") if isinstance(text, bytes) else text


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise NotVerified("header_missing", f"The header {name} is missing: no signed webhook.")
    return value


# Ed25519 after RFC 8032. Nothing here is secret, so nothing here needs constant time.

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)

_Point = tuple[int, int, int, int]
"""Extended coordinates: x = X / Z, y = Y / Z, x * y = T / Z."""


def _ed25519(public_key: bytes, content: bytes, signature: bytes) -> bool:
    key, base, s = _point(public_key), _point(_BASE), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or key is None or base is None or s >= _ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public_key + content).digest()
    h = int.from_bytes(digest, "little") % _ORDER
    minus_key = (_P - key[0], key[1], key[2], _P - key[3])
    return _packed(_sum(_times(s, base), _times(h, minus_key))) == signature[:32]


def _sum(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c, d = 2 * one[3] * other[3] * _D % _P, 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(number: int, point: _Point) -> _Point:
    total: _Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = _sum(total, point)
        point, number = _sum(point, point), number >> 1
    return total


def _packed(point: _Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _point(packed: bytes) -> _Point | None:
    """The point that 32 bytes stand for, if any."""
    number = int.from_bytes(packed, "little")
    y, odd = number & (2**255 - 1), number >> 255
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - square) % _P or (x == 0 and odd):
        return None
    x = _P - x if x & 1 != odd else x
    return x, y, 1, x * y % _P


_BASE = (4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little")
