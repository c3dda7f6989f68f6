"""Requests to the bank, and what must be true of its answers, whatever died in between."""

from __future__ import annotations

import json
from collections import defaultdict

from headgate.streams.bus import Record
from headgate.streams.codec import encode
from headgate.streams.commands import AcquirerRequest
from headgate.streams.settings import Settings
from headgate.streams.topics import ACQUIRER_REQUESTS, PAYMENT_COMMANDS, Topic, dead_letters_of
from headgate.tables.payments import decide
from tests.system.harness_commands import create, on_commands
from tests.system.harness_log import Delays, LogReader, Seen
from tests.system.harness_place import Place, holds

TOPICS = (ACQUIRER_REQUESTS, PAYMENT_COMMANDS, dead_letters_of(ACQUIRER_REQUESTS))
"""What a reader must read for these checks."""


def request(settings: Settings, number: int) -> Record:
    """What settle asks the bank for the payment of this number, as a record."""
    command = create(number)
    asked = decide(None, command, at_ms=1).requests[0].request
    return Record(
        ACQUIRER_REQUESTS.full_name(settings),
        on_commands(settings, command).partition,
        command.payment_id.encode(),
        encode(asked),
    )


def _by_attempt(log: LogReader, topic: Topic = PAYMENT_COMMANDS) -> dict[str, list[Seen]]:
    records: dict[str, list[Seen]] = defaultdict(list)
    for seen in log.of(topic):
        records[json.loads(seen.value)["attempt_id"]].append(seen)
    return records


def answer_delays(log: LogReader) -> Delays:
    """How long requests waited for their answers."""
    answers, requests = _by_attempt(log), _by_attempt(log, ACQUIRER_REQUESTS)
    waits = [
        copies[0].seen_ms - requests[attempt][0].timestamp_ms for attempt, copies in answers.items()
    ]
    return Delays.of(waits, len(log.of(PAYMENT_COMMANDS)) - len(answers))


async def until_answered(log: LogReader, count: int, within_s: float) -> bool:
    """Whether so many requests were answered within the time; the check says which were not."""

    async def answered() -> bool:
        return len(log.of(PAYMENT_COMMANDS)) >= count and len(_by_attempt(log)) >= count

    return await holds(answered, within_s)


async def check_answers(place: Place, log: LogReader, count: int) -> None:
    """Every request has one answer, on the log and on record."""
    asked = [decide(None, create(n), 1).requests[0].request for n in range(count)]
    wanted = {one.attempt_id for one in asked if isinstance(one, AcquirerRequest)}
    answers = _by_attempt(log)
    missing = sorted(wanted - set(answers))
    assert not missing, f"{len(missing)} of {count} requests have no answer: {missing[:3]}"
    assert set(answers) == wanted
    different = [
        attempt for attempt, copies in answers.items() if len({copy.value for copy in copies}) > 1
    ]
    assert not different, f"{len(different)} attempts were answered in two ways: {different[:3]}"
    rows = await place.rows(
        "select attempt_id, look, answer is null as open from acquirer_attempts"
    )
    assert {(row["attempt_id"], row["look"]) for row in rows} == {(one, 0) for one in wanted}
    assert not any(row["open"] for row in rows)
    assert log.of(dead_letters_of(ACQUIRER_REQUESTS)) == []
