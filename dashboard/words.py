"""How values read on a screen: money, times, states."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from markupsafe import Markup, escape

from headgate.streams.money import in_words

GOOD = frozenset(
    {
        "captured",
        "succeeded",
        "success",
        "processed",
        "enabled",
        "active",
        "running",
        "done",
    }
)
BAD = frozenset({"failed", "declined", "disabled", "revoked", "dead", "rejected", "canceled"})

SECONDS = len("2026-11-26 14:00:00")
WORDS_MAX = 256
"""States whose HTML is remembered; there are some forty."""


def at(moment: datetime | None) -> Markup:
    """A time in UTC to the second, with the whole of it for machines."""
    if moment is None:
        return Markup("-")
    utc = moment.astimezone(UTC)
    exact, plain = utc.isoformat(timespec="milliseconds"), utc.isoformat(" ", "seconds")[:SECONDS]
    # Digits and punctuation only; this is called for every row, four times a second.
    return Markup(f'<time datetime="{exact}">{plain}</time>')  # noqa: S704


@lru_cache(WORDS_MAX)
def state(word: str) -> Markup:
    """A state as text with a shape beside it: colour alone says nothing (WCAG 1.4.1)."""
    kind = "good" if word in GOOD else "bad" if word in BAD else "open"
    return Markup('<span class="state {}">{}</span>').format(kind, escape(word.replace("_", " ")))


WORDS = {"money": in_words, "at": at, "state": state, "from_text": datetime.fromisoformat}
"""What every template may use."""
