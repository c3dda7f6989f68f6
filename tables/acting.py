"""Acting tokens: how the dashboard asks the REST API for something in a person's name.

A token is `hga_`, base64url of JSON, a full stop and its HMAC-SHA256. The edge takes it as an API
key of one merchant and mode whose id is the actor, so that facts, rows and the audit name
the person.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from headgate.streams.clock import iso
from headgate.streams.commands import Id, Milliseconds, Mode
from headgate.streams.errors import HeadgateError
from headgate.streams.secrets import signature
from headgate.tables.configuration import ApiKey
from headgate.tables.scopes import OPERATOR

PREFIX = "hga_"
LIFE_MS = 60_000
"""A token is made for one call, so a minute is long; nothing else ends it."""
SKEW_MS = 5_000
"""How far the clock of who mints may be ahead of who verifies."""

PersonKind = Literal["operator", "merchant_user"]
_ACTORS: dict[PersonKind, str] = {"operator": "operator:", "merchant_user": "merchant_user:"}


class TokenRefused(HeadgateError):
    """An acting token that was not minted here, or whose time is over; the message says which."""


class _Claims(BaseModel):
    """What a token says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    actor: Id
    merchant_id: Id
    mode: Mode
    scopes: tuple[str, ...]
    at_ms: Milliseconds


def actor_of(kind: PersonKind, person_id: str) -> str:
    """How facts and the audit name a person: `operator:opr_…` or `merchant_user:usr_…`."""
    return _ACTORS[kind] + person_id


def is_person(actor: str) -> bool:
    """Whether a person acted, not an API key or the command line. No key's id has a colon."""
    return actor.startswith(tuple(_ACTORS.values()))


def mint(
    secret_key: str, actor: str, merchant_id: str, mode: Mode, scopes: Iterable[str], now_ms: int
) -> str:
    """A token by which `actor` acts for this merchant for the next minute.

    `secret_key` is HEADGATE_SECRET_KEY, which every process of an installation shares. Raises
    SecretUnreadable when it is none, ValueError for who is no person or may not do that at all.
    """
    granted = tuple(sorted(scopes))
    if not is_person(actor):
        raise ValueError(f"{actor!r} is no person")
    if OPERATOR in granted and not actor.startswith(_ACTORS["operator"]):
        raise ValueError(f"{actor!r} is no operator")
    claims = _Claims(actor=actor, merchant_id=merchant_id, mode=mode, scopes=granted, at_ms=now_ms)
    said = urlsafe_b64encode(claims.model_dump_json().encode()).decode()
    return f"{PREFIX}{said}.{_signature(secret_key, said)}"


def verify(secret_key: str, token: str, now_ms: int) -> ApiKey:
    """The API key that a token stands for; it expires when the token does.

    Raises TokenRefused, SecretUnreadable when there is no key to verify with.
    """
    said, _, offered = token.removeprefix(PREFIX).rpartition(".")
    if not hmac.compare_digest(_signature(secret_key, said).encode(), offered.encode()):
        raise TokenRefused("The acting token was not made by this installation, or is damaged.")
    claims = _read(said)
    _check_time(claims.at_ms, now_ms)
    return ApiKey(
        id=claims.actor,
        merchant_id=claims.merchant_id,
        mode=claims.mode,
        secret_hash=hashlib.sha256(token.encode()).digest(),
        revoked=False,
        scopes=frozenset(claims.scopes),
        expires_at_ms=claims.at_ms + LIFE_MS,
    )


def _check_time(at_ms: int, now_ms: int) -> None:
    if now_ms >= at_ms + LIFE_MS:
        raise TokenRefused(f"The acting token expired at {iso(at_ms + LIFE_MS)}.")
    if at_ms > now_ms + SKEW_MS:
        raise TokenRefused(
            f"The acting token is of {iso(at_ms)}, which is ahead of the clock here by more than "
            f"{SKEW_MS // 1000} s: set the clocks."
        )


def _read(said: str) -> _Claims:
    try:
        return _Claims.model_validate_json(urlsafe_b64decode(said.encode()))
    except (binascii.Error, ValidationError):
        # Signed, and yet unreadable: another version of Headgate made it.
        raise TokenRefused("The acting token was made by another version of Headgate.") from None


def _signature(secret_key: str, said: str) -> str:
    return signature(secret_key, b"headgate acting token", said)
