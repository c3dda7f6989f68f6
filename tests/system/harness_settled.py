"""What must be true of created payments once they are settled, whatever died in between."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from headgate.streams import ids
from headgate.streams.commands import CreatePayment
from headgate.streams.topics import (
    ACQUIRER_REQUESTS,
    PAYMENT_COMMANDS,
    PAYMENT_FACTS,
    dead_letters_of,
)
from tests.system.harness_log import Delays, LogReader, Seen
from tests.system.harness_place import Place, holds

FACTS_OF_A_CREATE = ["payment.created", "payment.pending", "payment.processing"]
TOPICS = (PAYMENT_FACTS, ACQUIRER_REQUESTS, dead_letters_of(PAYMENT_COMMANDS))
"""What a reader must read for these checks."""


def by_event(log: LogReader) -> dict[str, list[Seen]]:
    """The copies of each fact on the log, by its event id."""
    told: dict[str, list[Seen]] = defaultdict(list)
    for seen in log.of(PAYMENT_FACTS):
        told[json.loads(seen.value)["id"]].append(seen)
    return told


def delays(log: LogReader) -> Delays:
    """How long payments waited. A fact carries its command's time (08 R9)."""
    told = by_event(log)
    waits = [first.seen_ms - first.timestamp_ms for first, *_ in told.values()]
    return Delays.of(waits, len(log.of(PAYMENT_FACTS)) - len(told))


async def wait_for_all(place: Place, log: LogReader, count: int, within_s: float) -> bool:
    """Whether all payments were stored and told within the time; the checks say what was not."""

    async def stored_and_told() -> bool:
        return (
            len(log.of(PAYMENT_FACTS)) >= count * len(FACTS_OF_A_CREATE)
            and len(log.of(ACQUIRER_REQUESTS)) >= count
            and await place.number("select count(*) from payments") >= count
            and len(by_event(log)) >= count * len(FACTS_OF_A_CREATE)
        )

    return await holds(stored_and_told, within_s)


async def check(place: Place, log: LogReader, commands: Sequence[CreatePayment]) -> None:
    """Every command was decided once, and everything that it led to is on the log."""
    await _check_rows(place, commands)
    await _check_facts(place, log, commands)
    asked = {json.loads(seen.value)["attempt_id"] for seen in log.of(ACQUIRER_REQUESTS)}
    wanted = {ids.attempt_id(command.command_id, 1) for command in commands}
    assert asked == wanted, _difference("requests to the bank", wanted, asked)
    assert log.of(dead_letters_of(PAYMENT_COMMANDS)) == []


async def _check_rows(place: Place, commands: Sequence[CreatePayment]) -> None:
    wanted = {command.payment_id for command in commands}
    rows = await place.rows("select id, version, state from payments")
    stored = {row["id"] for row in rows}
    assert stored == wanted, _difference("payments", wanted, stored)
    assert {(row["version"], row["state"]) for row in rows} == {(1, "processing")}
    decided = {row["command_id"] for row in await place.rows("select command_id from operations")}
    asked = {command.command_id for command in commands}
    assert decided == asked, _difference("operations", asked, decided)


async def _check_facts(place: Place, log: LogReader, commands: Sequence[CreatePayment]) -> None:
    rows = await place.rows(
        "select payment_id, sequence, type, event_id, payload from facts "
        "order by payment_id, sequence"
    )
    stories: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in rows:
        stories[row["payment_id"]].append((row["sequence"], row["type"]))
    story = list(enumerate(FACTS_OF_A_CREATE, start=1))
    assert stories == {command.payment_id: story for command in commands}
    stored = {row["event_id"]: {row["payload"]} for row in rows}
    told = by_event(log)
    assert set(told) == set(stored), _difference("facts on the log", set(stored), set(told))
    assert {event: {seen.value for seen in copies} for event, copies in told.items()} == stored
    _check_order(log)


def _check_order(log: LogReader) -> None:
    """Per payment the first sight of each fact comes in the order of its sequence (00 §6)."""
    reached: dict[str, int] = defaultdict(int)
    for seen in log.of(PAYMENT_FACTS):
        fact = json.loads(seen.value)
        payment_id = fact["data"]["payment"]["id"]
        assert fact["sequence"] <= reached[payment_id] + 1, f"{payment_id} has a gap on the log"
        reached[payment_id] = max(reached[payment_id], fact["sequence"])


def _difference(what: str, wanted: set[str], found: set[str]) -> str:
    missing, extra = sorted(wanted - found), sorted(found - wanted)
    return (
        f"{what}: {len(wanted)} wanted, {len(missing)} missing {missing[:3]}, "
        f"{len(extra)} not wanted {extra[:3]}"
    )
