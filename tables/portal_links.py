"""Portal links: a merchant's Endpoints and Deliveries for somebody who has no account here.

The link's token is `hgp_`, base64url of JSON, a full stop and its HMAC-SHA256. Nothing is stored:
it says whose rows it shows, whether they may be changed, and when it ends.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from headgate.streams.commands import Id, Milliseconds, Mode
from headgate.streams.errors import HeadgateError
from headgate.streams.secrets import signature

PREFIX = "hgp_"
TOKEN_CHARACTERS_MAX = 2000
"""Longest token that is looked at; ours are shorter."""

Access = Literal["read", "full"]
"""Whether one may only look, or also change endpoints and send again."""


class LinkRefused(HeadgateError):
    """A link that was not made here, is damaged or is over; the message says which."""


class PortalLink(BaseModel):
    """What a link says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Id
    merchant_id: Id
    mode: Mode
    access: Access
    key_id: Id
    """The API key that asked for it: the link ends with it."""
    expires_ms: Milliseconds


def token_of(secret_key: str, link: PortalLink) -> str:
    """The link as it stands in an address. Raises SecretUnreadable without a secret key."""
    said = urlsafe_b64encode(link.model_dump_json().encode()).decode().rstrip("=")
    return f"{PREFIX}{said}.{_signature(secret_key, said)}"


def read(secret_key: str, token: str) -> PortalLink:
    """What a token says, if it was made here; whether it is over is not looked at. Raises
    LinkRefused."""
    said, _, offered = token[:TOKEN_CHARACTERS_MAX].removeprefix(PREFIX).rpartition(".")
    if not hmac.compare_digest(_signature(secret_key, said).encode(), offered.encode()):
        raise LinkRefused("This link was not made here, or a part of it is missing.")
    try:
        padded = said + "=" * (-len(said) % 4)
        return PortalLink.model_validate_json(urlsafe_b64decode(padded.encode()))
    except (binascii.Error, ValidationError):
        raise LinkRefused("This link was made by another version of Headgate.") from None


def _signature(secret_key: str, said: str) -> str:
    return signature(secret_key, b"headgate portal link", said)
