"""What a payment's timeline is made of: requests, log positions, facts, webhooks and attempts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from headgate.dashboard.delivery_rows import delivery_shown
from headgate.dashboard.viewer import Viewer
from headgate.streams.fact_words import FACTS_IN_WORDS
from headgate.streams.facts import State
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables.payment import Payment
from headgate.tables.postgres import Postgres, Row

STEPS_MAX = 400
"""Facts and commands without any that a timeline shows; the newest."""
DELIVERIES_MAX = 200
ATTEMPTS_MAX = 400
_UNASKED = {"acquirer.answer": "the bank", "payment.timer": "a timer"}
"""Who stands behind the commands that nobody sends."""


@dataclass
class Told:
    """A fact and what became of it."""

    sequence: int
    type: str
    meaning: str
    event_id: str
    deliveries: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Step:
    """A command on the log, and what it led to."""

    command: str
    command_id: str
    at: datetime
    actor: str
    request_id: str | None
    idempotency_key: str | None
    topic: str
    partition: int
    offset: int
    refusal: str | None
    asked: list[str]
    """What was sent to the bank or set as a reminder."""
    told: list[Told] = field(default_factory=list)
    reason: str | None = None
    """Why an operator asked the bank."""
    said: str | None = None
    """What the bank answered, also where that changed nothing."""


@dataclass(frozen=True)
class Story:
    """A payment and all that is known of it."""

    row: Row
    payment: Payment
    children: Sequence[Row]
    steps: list[Step]
    states: list[State]
    """Those that it went through, in their order."""


async def story_of(
    postgres: Postgres, settings: Settings, viewer: Viewer, payment_id: str
) -> Story | None:
    """The story of a payment, None when this person has no such one. Raises StoreUnavailable."""
    whose = (viewer.merchant_id, viewer.mode, payment_id)
    row = await postgres.fetch_row("dashboard_payment", *whose)
    if row is None:
        return None
    children = await postgres.fetch("dashboard_payment_children", *whose)
    rows = await postgres.fetch("dashboard_payment_story", *whose, STEPS_MAX)
    attempts = await postgres.fetch("dashboard_payment_attempts", *whose, ATTEMPTS_MAX)
    deliveries = await postgres.fetch_where(
        "dashboard_deliveries", {"where": "payment_id = $5", "also": "true"},
        row["merchant_id"], row["mode"], DELIVERIES_MAX, DELIVERIES_MAX, payment_id,
    )  # fmt: skip
    steps, states = _steps(rows[::-1], PAYMENT_COMMANDS.full_name(settings))
    _hear(steps, await postgres.fetch("dashboard_payment_answers", *whose, _attempts(rows)))
    _join(steps, deliveries, attempts)
    return Story(row, Payment.model_validate_json(row["record"]), children, steps, states)


def _steps(rows: Iterable[Row], topic: str) -> tuple[list[Step], list[State]]:
    steps: dict[str, Step] = {}
    states: list[State] = []
    for row in rows:
        step = steps.setdefault(row["command_id"], _step(row, topic))
        if row["payload"] is None:
            continue
        fact = orjson.loads(row["payload"])
        step.idempotency_key = step.idempotency_key or fact["request"]["idempotency_key"]
        step.request_id = step.request_id or fact["request"]["id"]
        states.append(fact["data"]["payment"]["state"])
        meaning = FACTS_IN_WORDS.get(row["type"], "")
        step.told.append(Told(row["sequence"], row["type"], meaning, row["event_id"]))
    return list(steps.values()), states


def _step(row: Row, topic: str) -> Step:
    refusal = row["refusal"]
    if refusal and row["result"]:
        refusal = f"{refusal}: {orjson.loads(row['result']).get('detail') or ''}"
    return Step(
        command=row["command"],
        command_id=row["command_id"],
        at=row["created_at"],
        actor=row["actor"] or _UNASKED.get(row["command"], "-"),
        request_id=row["request_id"],
        idempotency_key=None,
        topic=topic,
        partition=row["partition"],
        offset=row["offset"],
        refusal=refusal,
        asked=[_asked(one) for one in orjson.loads(row["requests"])],
        reason=_reason(row),
    )


def _attempts(rows: Iterable[Row]) -> list[str]:
    """The attempts that the bank was called or asked about."""
    asked = (one["request"] for row in rows for one in orjson.loads(row["requests"]))
    return list({request["attempt_id"] for request in asked if "attempt_id" in request})


def _hear(steps: Iterable[Step], answers: Iterable[Row]) -> None:
    """Put the bank's words to the steps that its answers are."""
    words = {row["command_id"]: row for row in answers}
    for step in steps:
        if (row := words.get(step.command_id)) is not None:
            said = row["outcome"].replace("_", " ")
            step.said = f"{said} ({row['decline_code']})" if row["decline_code"] else said


def _reason(row: Row) -> str | None:
    if row["command"] != "payment.inquire" or not row["result"]:
        return None
    reason: str | None = orjson.loads(row["result"]).get("reason")
    return reason


def _asked(one: dict[str, Any]) -> str:
    """What went out, in words."""
    request, due_ms = one["request"], one["not_before_ms"]
    if request["type"] == "payment.timer":
        what = f"reminder: {request['timer']}"
    elif request["type"] == "inquire":
        what = f"asks the bank what became of it (question {request['look']})"
    else:
        what = f"asks the bank: {request['type']}"
    if due_ms is None:
        return what
    return f"{what}, at {datetime.fromtimestamp(due_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _join(steps: Iterable[Step], deliveries: Iterable[Row], attempts: Iterable[Row]) -> None:
    """Hang deliveries, oldest first, under the facts that they tell."""
    tried: dict[str, list[Row]] = defaultdict(list)
    for attempt in attempts:
        tried[attempt["delivery_id"]].insert(0, attempt)
    sent: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in deliveries:
        shown = {**delivery_shown(row), "made": tried[row["id"]]}
        sent[row["event_id"]].insert(0, shown)
    for step in steps:
        for told in step.told:
            told.deliveries = sent[told.event_id]
