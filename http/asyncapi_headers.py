"""The headers of published records, as the AsyncAPI document describes them."""

from __future__ import annotations

from headgate.streams.deliveries import NOTICE
from headgate.streams.operational_events import TARGET
from headgate.streams.schemas import Schema
from headgate.streams.topics import PAYMENT_FACTS, WEBHOOKS_ATTEMPTS, WEBHOOKS_EVENTS, Topic

_SOURCES = {
    PAYMENT_FACTS.name: "/headgate/payments",
    WEBHOOKS_EVENTS.name: "/headgate/webhooks",
    WEBHOOKS_ATTEMPTS.name: "/headgate/attempts",
}

_ALWAYS: dict[str, Schema] = {
    "ce_specversion": {"const": "1.0", "description": "The version of CloudEvents."},
    "ce_id": {"description": "The occurrence, unique within `ce_source`. A repeat has the same."},
    "ce_type": {"description": "What it is; names the message of this document."},
    "ce_source": {"description": "Who tells it."},
    "ce_time": {"format": "date-time", "description": "When it happened."},
    "ce_dataschema": {"description": "The `$id` of the value's JSON Schema, at `/schemas`."},
    "content-type": {"const": "application/json", "description": "Of the value."},
    "v": {"const": "1", "description": "The version of the value's schema."},
}
_WHOSE: dict[str, Schema] = {
    "merchant-id": {"description": "The merchant that it is about."},
    "livemode": {"enum": ["true", "false"], "description": "Whether money is real."},
}
_ALONE: dict[str, Schema] = {
    TARGET: {"description": "The one endpoint that it is for; absent when it is for all."},
}
_NOTED: dict[str, Schema] = {
    NOTICE: {"description": "What was done with it; absent on attempts that were made."},
}


def headers_of(topic: Topic) -> Schema:
    """The schema of the headers of a public topic's records. All values are text."""
    always = _ALWAYS | {"ce_source": {**_ALWAYS["ce_source"], "const": _SOURCES[topic.name]}}
    sometimes: dict[str, Schema] = {}
    if topic.name == WEBHOOKS_ATTEMPTS.name:
        sometimes = _NOTED
    else:
        always |= _WHOSE
    if topic.name == WEBHOOKS_EVENTS.name:
        sometimes = _ALONE
    told = {name: {"type": "string", **schema} for name, schema in (always | sometimes).items()}
    return {"type": "object", "properties": told, "required": list(always)}
