"""How values read on a screen: money, times, states."""

from __future__ import annotations

from datetime import UTC, datetime

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


def at(moment: datetime | None) -> Markup:
    """A time in UTC to the second, with the whole of it for machines."""
    if moment is None:
        return Markup("-")
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        utc.isoformat(timespec="milliseconds"), f"{utc:%Y-%m-%d %H:%M:%S}"
    )


def state(word: str) -> Markup:
    """A state as text with a shape beside it: colour alone says nothing (WCAG 1.4.1)."""
    kind = "good" if word in GOOD else "bad" if word in BAD else "open"
    return Markup('<span class="state {}">{}</span>').format(kind, escape(word.replace("_", " ")))


WORDS = {"money": in_words, "at": at, "state": state}
"""What every template may use."""
