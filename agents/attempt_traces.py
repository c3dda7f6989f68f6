"""What is kept of an attempt: what was sent and said, as far as others may see it (04 §10.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headgate.agents.keyring import Keys
from headgate.streams.outbound.outcome import Answer
from headgate.tables.deliveries import ANSWER_CHARACTERS_MAX, Trace

HIDDEN = "[hidden]"
"""In place of a value that is a secret, or may be one."""
_SECRET_HEADERS = frozenset(
    ("authorization", "proxy-authorization", "cookie", "set-cookie", "set-cookie2")
)


def request_of(keys: Keys, sent: Mapping[str, str]) -> dict[str, str]:
    """The headers that were sent, the values of the merchant's own ones hidden: they are often
    passwords."""
    return {name: HIDDEN if name in keys.headers else value for name, value in sent.items()}


def traced(answer: Answer, started_at_ms: int, request_headers: Mapping[str, str]) -> Trace:
    """What an answered attempt leaves behind."""
    return Trace(
        started_at_ms,
        round(answer.duration_ms),
        request_headers,
        headers_of(answer.headers),
        _text(answer.body)[:ANSWER_CHARACTERS_MAX],
        round(answer.connect_ms),
        round(answer.first_byte_ms),
    )


def headers_of(pairs: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """An answer's headers by name in lower case, repeated ones joined; secrets hidden."""
    found: dict[str, str] = {}
    for raw, value in pairs:
        name = _text(raw).lower()
        text = HIDDEN if name in _SECRET_HEADERS else _text(value)
        found[name] = f"{found[name]}, {text}" if name in found and text != HIDDEN else text
    return found


def _text(raw: bytes) -> str:
    """As text that PostgreSQL takes."""
    return raw.decode(errors="replace").replace("\0", "\ufffd")
