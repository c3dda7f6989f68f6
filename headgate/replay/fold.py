"""What today's code decides about recorded commands, by its pure function alone."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from headgate.replay.decisions import Asked, Decisions, Outcome
from headgate.replay.recorded import Recorded
from headgate.streams.codec import decode, encode
from headgate.streams.commands import COMMAND, Command
from headgate.streams.errors import CannotDecode
from headgate.tables.decided import Decided
from headgate.tables.payment import Payment
from headgate.tables.payments import decide
from headgate.tables.store import dump_requests


class Fold:
    """The settle loop without its log, its store and its batches: one command after the other,
    each from the state that the one before it left (`agents/settle.py`). Needs no server."""

    def __init__(self) -> None:
        self.decisions = Decisions()
        self._payments: dict[str, Payment] = {}

    def decide(self, record: Recorded) -> None:
        """Decide one command; one that was decided before changes nothing."""
        try:
            command = decode(COMMAND, record.value)
        except CannotDecode as error:
            if (asked := Asked.of(record)) is not None:
                self.decisions.dead[asked.command_id] = str(error)
            return
        if command.command_id not in self.decisions.outcomes:
            self._decide(command, record)

    def _decide(self, command: Command, record: Recorded) -> None:
        before = self._payments.get(command.payment_id)
        try:
            decision = decide(before, command, record.at_ms)
        except Exception as bug:  # noqa: BLE001  settle quarantines it likewise
            self.decisions.dead[command.command_id] = f"quarantined: {type(bug).__name__}"
            return
        if decision.payment is None:
            self.decisions.dead[command.command_id] = f"no payment {command.payment_id}"
            return
        self._payments[command.payment_id] = decision.payment
        for fact in decision.facts:
            self.decisions.tell(command.payment_id, fact.sequence, encode(fact))
        item = Decided(command, record.partition, record.offset, record.at_ms, 0, decision, ())
        self.decisions.outcomes[command.command_id] = _outcome(item)


def folded(commands: Iterable[Recorded]) -> Decisions:
    """The decisions about these commands, each partition's in its order."""
    fold = Fold()
    for record in commands:
        fold.decide(record)
    return fold.decisions


def _outcome(item: Decided) -> Outcome:
    facts = item.decision.facts
    return Outcome(
        refusal=item.refusal,
        first_sequence=facts[0].sequence if facts else 1,
        last_sequence=facts[-1].sequence if facts else 0,
        requests=orjson.loads(dump_requests(item.decision.requests)),
        result=item.result,
    )
