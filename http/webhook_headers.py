"""Headers of a merchant's own that every attempt carries: what they may be, sealed and masked."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from pydantic_core import PydanticCustomError

from headgate.http.schemas import one_line
from headgate.streams.custom_headers import why_not_these
from headgate.streams.errors import SecretUnreadable
from headgate.streams.secrets import SecretBox, is_masked, mask


def checked_headers(headers: dict[str, str]) -> dict[str, str]:
    """The headers, if all may be sent. A masked value stands for the one that is stored."""
    reason = why_not_these(
        {name: "masked" if is_masked(value) else value for name, value in headers.items()}
    )
    if reason is not None:
        raise PydanticCustomError("header", "{reason}", {"reason": reason.removesuffix(".")})
    for pair in headers.items():
        one_line(": ".join(pair))  # No card number is stored, not even sealed (00 A15).
    return headers


def sealed_headers(box: SecretBox, given: Mapping[str, str], stored: str | None) -> str | None:
    """The headers as they are stored; None for none. Masked values are taken from what is stored,
    by their name. Raises KeyError for a masked value of a header that is not stored, and
    SecretUnreadable."""
    if not given:
        return None
    before: Mapping[str, str] = {}
    if any(map(is_masked, given.values())):
        before = opened_headers(box, stored)
    known = {name.lower(): value for name, value in before.items()}
    headers = {
        name: known[name.lower()] if is_masked(value) else value for name, value in given.items()
    }
    if stored is not None and headers == before:
        return stored  # Sealed anew it would look like a change.
    return box.seal(orjson.dumps(headers).decode())


def opened_headers(box: SecretBox, stored: str | None) -> dict[str, str]:
    """The headers in clear. Raises SecretUnreadable."""
    headers: dict[str, str] = {} if stored is None else orjson.loads(box.open(stored))
    return headers


def masked_headers(box: SecretBox, stored: str | None) -> dict[str, str]:
    """The headers as they are shown; none when another HEADGATE_SECRET_KEY sealed them."""
    try:
        return {name: mask(value) for name, value in opened_headers(box, stored).items()}
    except SecretUnreadable:
        return {}
