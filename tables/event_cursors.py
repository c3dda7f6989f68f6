"""Cursors of events: for each partition how far it was seen, in letters that mean nothing (R17)."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

_VERSION = 1
_CHECK_BYTES = 4
_CHARACTERS_MAX = 12_000
_NUMBER_BYTES_MAX = 9


class Place(NamedTuple):
    """What lies before `offset` was seen, and of the command at it the facts up to `sequence`."""

    offset: int
    sequence: int = 0


Cursor: TypeAlias = Mapping[int, Place]
"""The place in each partition; of a partition that is missing nothing was seen."""

GENESIS: Cursor = {}
"""Before everything."""


class CursorUnreadableError(ValueError):
    """This is no cursor of ours, or not all of one."""


def encode(cursor: Cursor) -> str:
    """The cursor as text that may stand in URLs and headers."""
    raw = bytearray([_VERSION])
    for partition, place in sorted(cursor.items()):
        for number in (partition, *place):
            raw += _number(number)
    raw += binascii.crc32(raw).to_bytes(_CHECK_BYTES, "big")
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> Cursor:
    """The cursor behind the text. Raises CursorUnreadableError."""
    if not text.isascii() or len(text) > _CHARACTERS_MAX:
        raise CursorUnreadableError
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise CursorUnreadableError from None
    body, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
    sound = body[:1] == bytes([_VERSION]) and binascii.crc32(body) == int.from_bytes(check, "big")
    if not sound or _more_than(text, raw):
        raise CursorUnreadableError
    numbers = list(_numbers(body[1:]))
    if len(numbers) % 3:
        raise CursorUnreadableError
    triples = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
    return {partition: Place(offset, sequence) for partition, offset, sequence in triples}


def _more_than(text: str, raw: bytes) -> bool:
    """Whether the text holds more than its bytes: base64 passes over what it does not know."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode() != text


def _number(number: int) -> bytes:
    """Seven bits a byte, the last one without its high bit."""
    raw = bytearray()
    while number > 0x7F:  # noqa: PLR2004
        raw.append(number & 0x7F | 0x80)
        number >>= 7
    raw.append(number)
    return bytes(raw)


def _numbers(raw: bytes) -> Iterator[int]:
    number, bits = 0, 0
    for byte in raw:
        number |= (byte & 0x7F) << bits
        bits += 7
        if bits > 7 * _NUMBER_BYTES_MAX:
            raise CursorUnreadableError
        if not byte & 0x80:
            yield number
            number, bits = 0, 0
    if bits:
        raise CursorUnreadableError
