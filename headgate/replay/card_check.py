"""Card numbers in records that leave the house: found, and starred out.

The edge lets none in (00 A15), so there is none on the log, unless somebody else wrote there. A
capture file goes to other machines, so this looks once more. What merely looks like one is told
apart first: a number must begin as a network's does and pass its check digit (time stamps begin
with 1), and digits inside a hash, an id or a trace are none.
"""

from __future__ import annotations

import re
from dataclasses import replace

from headgate.replay.recorded import Recorded
from headgate.streams.cards import find_number, masked

_LONG_WORD = re.compile(
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # a UUID
    r"|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"  # a traceparent
    r"|[0-9A-Za-z_]{24,}"  # a hash, or an id of ours
)


def without_card_numbers(record: Recorded) -> Recorded:
    """The record itself when no card number is in it; else one with stars in place of all but
    its last four digits."""
    key, value = record.key and _starred(record.key), record.value and _starred(record.value)
    headers = tuple((name, _starred(each)) for name, each in record.headers)
    if (key, value, headers) == (record.key, record.value, record.headers):
        return record
    return replace(record, key=key, value=value, headers=headers)


def _starred(raw: bytes) -> bytes:
    # Latin-1 takes any byte for one character; only digits matter here.
    text = raw.decode("latin-1")
    if find_number(text) is None:
        return raw
    pieces: list[str] = []
    seen = 0
    for word in _LONG_WORD.finditer(text):
        if not word.group().isdigit():
            pieces += [masked(text[seen : word.start()]), word.group()]
            seen = word.end()
    pieces.append(masked(text[seen:]))
    return "".join(pieces).encode("latin-1")
