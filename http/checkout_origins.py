"""Which pages may show the checkout form in a frame, as browsers are told it (06 §5.5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from headgate.streams.clock import now_ms
from headgate.tables.configuration import ApiKey, Configuration
from headgate.tables.merchants import DEMO_KEY

ORIGINS_MAX = 20
ORIGIN_CHARACTERS_MAX = 260
OWN_MACHINE = ("'self'", "http://localhost:*", "http://127.0.0.1:*")
"""Where the seed's demo shop may stand: the demo merchant exists on one's own machine only."""

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ORIGIN = re.compile(
    rf"(?:https://{_LABEL}(?:\.{_LABEL})*"
    rf"|http://(?:(?:{_LABEL}\.)*localhost|127\.0\.0\.1))(?::[1-9][0-9]{{0,4}})?"
)
"""Nothing in it can end a directive of a Content-Security-Policy, or stand for many hosts."""


def _origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text):
        raise PydanticCustomError(
            "origin_invalid",
            "an origin has the form https://shop.example.com, in lower case and without a path; "
            "http is for localhost",
        )
    return text


Origin = Annotated[
    str,
    Field(max_length=ORIGIN_CHARACTERS_MAX, pattern=f"^(?:{_ORIGIN.pattern})$"),
    AfterValidator(_origin),
]


def publishable(configuration: Configuration, key_id: str) -> ApiKey | None:
    """The key with this id, if it works and its merchant may take payments."""
    key = configuration.keys.get(key_id)
    if key is None or key.revoked:
        return None
    if key.expires_at_ms is not None and key.expires_at_ms <= now_ms():
        return None
    merchant = configuration.merchants.get(key.merchant_id)
    return key if merchant is not None and merchant.active else None


def ancestors(configuration: Configuration, key_id: str) -> Sequence[str]:
    """The sources of `frame-ancestors` for this publishable key; none when it is not known."""
    key = publishable(configuration, key_id)
    if key is None:
        return ()
    allowed = configuration.merchants[key.merchant_id].checkout_origins
    return (*OWN_MACHINE, *allowed) if key.id == DEMO_KEY else allowed


def policy(nonce: str, sources: Sequence[str]) -> str:
    """The Content-Security-Policy of a page with the form, which `sources` may frame. Scripts and
    styles are those that carry the nonce; nothing is ever `unsafe`."""
    framed_by = " ".join(sources) or "'none'"
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; "
        f"frame-ancestors {framed_by}"
    )
