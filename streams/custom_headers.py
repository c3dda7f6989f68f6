"""A merchant's own headers on webhooks: which may ride along, and which are ours (04 §10.8)."""

# ruff: noqa: SIM905 - tables of words read best as text

from __future__ import annotations

import re
from collections.abc import Mapping

HEADERS_MAX = 20
NAME_CHARACTERS_MAX = 100
VALUE_CHARACTERS_MAX = 2000
ALL_CHARACTERS_MAX = 8000
"""Of all names and values together: many servers take no more than 8 kB of headers."""

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?")
_OF_THE_CONNECTION = """
connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer trailers
transfer-encoding upgrade expect http2-settings
""".split()
"""They belong to one hop, or change where a message ends."""
_OF_HEADGATE = """
host content-length content-type content-encoding user-agent accept accept-encoding
x-webhook-signature
""".split()
_PREFIXES_OF_HEADGATE = ("webhook-", "sec-")


def why_not(name: str, value: str) -> str | None:
    """Why this header may not be put on webhooks, as a sentence, or None when it may. The value is
    never repeated: it is often a password."""
    return _why_not_named(name) or _why_not_valued(name, value)


def _why_not_named(name: str) -> str | None:
    lower = name.lower()
    if len(name) > NAME_CHARACTERS_MAX:
        return f"The name of a header has {len(name)} characters; {NAME_CHARACTERS_MAX} may be."
    if not _NAME.fullmatch(name):
        return f"{name!r} is not the name of an HTTP header."
    if lower in _OF_THE_CONNECTION:
        return f"{name} belongs to the connection and cannot be set for webhooks."
    if lower in _OF_HEADGATE or lower.startswith(_PREFIXES_OF_HEADGATE):
        return f"{name} is set by Headgate and cannot be set for webhooks."
    return None


def _why_not_valued(name: str, value: str) -> str | None:
    if len(value) > VALUE_CHARACTERS_MAX:
        return f"{name} has {len(value)} characters; {VALUE_CHARACTERS_MAX} are allowed."
    if not _VALUE.fullmatch(value):
        return (
            f"The value of {name} must be printable ASCII on one line, without a space at either "
            "end; encode anything else."
        )
    return None


def why_not_these(headers: Mapping[str, str]) -> str | None:
    """Why these headers together may not be put on webhooks, or None when they may."""
    if len(headers) > HEADERS_MAX:
        return f"There are {len(headers)} headers; {HEADERS_MAX} are allowed."
    if len({name.lower() for name in headers}) < len(headers):
        return "Two headers have the same name; names are compared without regard to case."
    size = sum(len(name) + len(value) for name, value in headers.items())
    if size > ALL_CHARACTERS_MAX:
        return f"The headers have {size} characters; {ALL_CHARACTERS_MAX} are allowed in all."
    return next((reason for pair in headers.items() if (reason := why_not(*pair))), None)
