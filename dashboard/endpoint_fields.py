"""The fields of an endpoint's form, and the request that they become."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from headgate.dashboard.whole_number import whole_number
from headgate.tables.schedules import SCHEDULES

FIELDS = ("url", "events", "description", "schedule", "waits", "headers", "rate")
"""Those that are text; a box that is ticked is sent as `on`, another one not at all."""
BOXES = ("fifo", "fifo_blocks", "asymmetric")
_BETWEEN = re.compile(r"[\s,]+")
NEW = {"events": "*", "schedule": "standard"}
"""What a new endpoint's form begins with."""


class FieldWrong(Exception):
    """A field cannot be read; the message is for the person."""


def all_of(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields as a form shows them: those that are missing are empty."""
    return {**dict.fromkeys((*FIELDS, *BOXES, "merchant"), ""), **fields}


def of_endpoint(endpoint: Mapping[str, Any]) -> dict[str, str]:
    """The fields as the REST surface's answer fills them."""
    custom = endpoint["waits_s"] if endpoint["schedule"] == "custom" else []
    fields = {
        "url": endpoint["url"],
        "events": "\n".join(endpoint["event_types"]),
        "description": endpoint["description"] or "",
        "schedule": endpoint["schedule"],
        "waits": " ".join(map(str, custom)),
        "headers": "\n".join(f"{name}: {value}" for name, value in endpoint["headers"].items()),
        "rate": str(endpoint["rate_per_s"] or ""),
    }
    return fields | {name: "on" for name in BOXES if endpoint[name]}


def to_request(form: Mapping[str, str]) -> dict[str, Any]:
    """What the fields ask for; whether it may be is for the REST surface to say. Raises
    FieldWrong."""
    schedule = form.get("schedule", "standard")
    if schedule not in SCHEDULES:
        raise FieldWrong("Choose one of the schedules.")
    asked: dict[str, Any] = {
        "url": form.get("url", "").strip(),
        "event_types": _words(form.get("events", "")),
        "description": form.get("description", "").strip(),
        "schedule": schedule,
        "headers": _headers(form.get("headers", "")),
        "rate_per_s": _number("attempts a second", form.get("rate", "").strip() or "0"),
        **{name: form.get(name) == "on" for name in BOXES},
    }
    if schedule == "custom":
        asked["waits_s"] = [_number("the waits", word) for word in _words(form.get("waits", ""))]
    return asked


def _words(text: str) -> list[str]:
    return [word for word in _BETWEEN.split(text) if word]


def _number(what: str, text: str) -> int:
    number = whole_number(text)
    if number is None:
        raise FieldWrong(f"Of {what}, {text[:20]!r} is no whole number.")
    return number


def _headers(text: str) -> dict[str, str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    pairs = [line.partition(":") for line in lines]
    if not all(name.strip() and colon for name, colon, _ in pairs):
        raise FieldWrong("Write each header on a line of its own, as Name: value.")
    return {name.strip(): value.strip() for name, _, value in pairs}
