"""The page `docs/reference/events.md`: every event, and how to follow them."""

from __future__ import annotations

from itertools import groupby

import orjson

from headgate.streams.deliveries import AttemptMade
from headgate.streams.fact_words import FACTS_IN_WORDS, SEED_TYPES
from headgate.streams.facts import FactType
from headgate.streams.operational_events import exhausted
from headgate.streams.operational_words import OPERATIONAL_IN_WORDS

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


OPERATIONAL = """\
## Operational events

What happens to a merchant's endpoints and deliveries is told too, to those endpoints of the same
mode that ask for it: by the exact type, by `webhook_endpoint.*`, or with everything (`*`). They
are events like the others (`id`, `type`, `created_at`, `livemode`, `data`), signed, retried and
listed in the same way, and records of the topic `webhooks.events`; but they are about no payment,
so they have no `sequence`, and `GET /api/v1/events` does not list them. `data.endpoint` names the
endpoint that the event is about.

| Type | What it means |
|---|---|
{rows}

```json
{example}
```
"""

EXAMPLE = AttemptMade(
    delivery_id="dlv_…",
    event_id="evt_…",
    endpoint_id="ep_…",
    merchant_id="mer_…",
    payment_id="pay_…",
    mode="live",
    type="payment.success",
    attempt=10,
    token="…",  # noqa: S106
    kind="failed",
    status_code=503,
    error="the receiver answered 503",
    answer="",
    started_at_ms=1_795_450_029_123,
    duration_ms=20,
    next_attempt=None,
    next_at_ms=None,
)
"""The attempt after which the delivery of the example is over."""


def events(made: str) -> str:
    """The page, under the line that says how it is made."""
    parts = [EVENTS.format(made=made)]
    for about, group in groupby(FACTS_IN_WORDS, key=lambda name: name.partition(".")[0]):
        rows = "\n".join(f"| {_named(name)} | {FACTS_IN_WORDS[name]} |" for name in group)
        parts.append(f"### {about.title()}s\n\n| Type | What it means |\n|---|---|\n{rows}\n")
    return "\n".join([*parts, operational()])


def operational() -> str:
    """What is told of endpoints and deliveries, with one event as an example."""
    rows = "\n".join(f"| `{name}` | {words} |" for name, words in OPERATIONAL_IN_WORDS.items())
    event = exhausted(EXAMPLE)
    body = orjson.loads(event.payload if event else b"{}") | {"id": "evt_…"}
    shown = orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()
    return OPERATIONAL.format(rows=rows, example=shown)


def _named(name: FactType) -> str:
    return f"**`{name}`**" if name in SEED_TYPES else f"`{name}`"
