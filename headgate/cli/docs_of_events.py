"""The page `docs/reference/events.md`: every event, and how to follow them."""

from __future__ import annotations

from itertools import groupby

from headgate.streams.fact_words import FACTS_IN_WORDS, SEED_TYPES
from headgate.streams.facts import FactType

EVENTS = """\
{made}

# Events

Every decision about a payment is told by one or more events. An event is a fact of the topic
`payments.facts`, the body of a webhook and an entry of `GET /api/v1/events`: the same bytes
everywhere, for ever. `sequence` counts a payment's events without gaps; `data` holds the payment,
and the capture, refund ... that it is about, as they were then; `previous` holds the members of
the payment that changed, with their earlier values. Receivers dedupe by `id`.

## Reading them

`GET /api/v1/events` gives them oldest first, for ever:

- `after`: the `next_cursor` of the page before. `genesis`, or nothing, begins with the oldest
  event; `now` with what comes next. Keep the last cursor and ask again later: nothing is skipped
  and nothing comes twice, whatever is written meanwhile.
- `types[]`: only these types, repeated or with commas. `object`: only what is about this payment,
  capture, void, refund, reversal or increment. A cursor goes with the filters that it came from.
- `limit`: 1 to 100. While `has_more` is true a page may be short, even empty, when a filter fits
  little.

Cursors are opaque: they hold a place for each partition of the log. One that cannot be read, or
is ahead of what is stored (of another installation, or after the database was set back), is
refused with 400; it is never guessed.

## Following them

`GET /api/v1/events/stream` sends the same events as server-sent events while they are settled,
with the same filters. It begins with what comes next, or behind `Last-Event-ID` (a browser sends
it by itself) or `after`:

```sh
curl -N 'http://127.0.0.1:8000/api/v1/events/stream?after=genesis' \\
  -H 'Authorization: Bearer secret_test_xyz789'
```

```text
retry: 1000
id: …
id: …
event: payment.created
data: {{"v":1,"id":"evt_…","event":"payment.created", …}}
```

`id` is the cursor behind the event. An `id` without data moves the cursor on where nothing fitted
the filter. Comments come every 15 seconds, also while the database is away. An event `reset`
tells that a cursor led nowhere, and the oldest one; the stream goes on from there. A viewer that
reads nothing for 30 seconds is cut off. An edge takes `HEADGATE_EVENTS_VIEWERS_MAX` viewers.

## Types

The three types that the seed has are in bold: `PUT /api/v1/webhooks/settings` subscribes to these.
"""


def events(made: str) -> str:
    """The page, under the line that says how it is made."""
    parts = [EVENTS.format(made=made)]
    for about, group in groupby(FACTS_IN_WORDS, key=lambda name: name.partition(".")[0]):
        rows = "\n".join(f"| {_named(name)} | {FACTS_IN_WORDS[name]} |" for name in group)
        parts.append(f"### {about.title()}s\n\n| Type | What it means |\n|---|---|\n{rows}\n")
    return "\n".join(parts)


def _named(name: FactType) -> str:
    return f"**`{name}`**" if name in SEED_TYPES else f"`{name}`"
