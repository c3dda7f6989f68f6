"""What every operational event means; the page of events is made from this."""

from __future__ import annotations

from headgate.streams.operational_events import OperationalType

OPERATIONAL_IN_WORDS: dict[OperationalType, str] = {
    "webhook.test": "Somebody asked for a test of this endpoint. It goes to no other.",
    "webhook_endpoint.disabling": "Nothing has got through to the endpoint for long; `failing` "
    "says how long, and when it will be disabled. Told at 50 and at 80 percent.",
    "webhook_endpoint.disabled": "The endpoint gets nothing more until it is enabled; `reason` is "
    "`failing` (nothing got through for days), `gone` (it answered 410), `unverified` (it did not "
    "prove that it wants webhooks) or `merchant` (its owner asked).",
    "webhook_endpoint.enabled": "The endpoint gets webhooks again.",
    "webhook_endpoint.recovered": "Something got through after a warning; the count begins anew.",
    "delivery.exhausted": "A delivery failed for good: `delivery.last_attempt` says how. It can "
    "be retried by hand, or replayed. Never told of deliveries of the events on this list.",
}
"""The meaning of each type."""
