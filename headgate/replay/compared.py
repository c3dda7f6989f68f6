"""Recorded decisions against today's: pure, and the same for a file, a log and a fold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from headgate.replay import differences
from headgate.replay.decisions import Asked, Decisions, Outcome
from headgate.replay.differences import Difference
from headgate.streams.clock import from_iso

DIFFERENCES_MAX = 10_000
"""Differences that are kept; beyond it they are counted."""


@dataclass(slots=True)
class Comparison:
    """What was compared, what could not be, and what differs."""

    payments: int = 0
    commands: int = 0
    facts: int = 0
    """Facts that were recorded and told today, with whatever bytes."""
    begun_before: int = 0
    """Payments whose first command is not in the source: nothing can be said about them."""
    not_recorded_yet: int = 0
    """Commands at the source's end whose decision is behind it."""
    only_facts: bool = False
    """The source has no operations: refusals, answers and calls to banks were not compared."""
    differing: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether today's code decides everything as it was recorded."""
        return not self.differing

    def note(self, found: Iterable[Difference]) -> None:
        """Count these, and keep them within the limit."""
        for difference in found:
            self.differing += 1
            if len(self.differences) < DIFFERENCES_MAX:
                self.differences.append(difference)

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "same": self.same,
            "payments": self.payments,
            "commands": self.commands,
            "facts": self.facts,
            "payments_begun_before": self.begun_before,
            "commands_not_recorded_yet": self.not_recorded_yet,
            "only_facts": self.only_facts,
            "differing": self.differing,
            "differences": [one.as_json() for one in self.differences],
        }


def compared(asked: Iterable[Asked], recorded: Decisions, today: Decisions) -> Comparison:
    """Compare every decision. `asked` are the commands, each partition's in its order."""
    by_payment: dict[str, dict[str, Asked]] = {}
    for one in asked:
        # A command that stands on the log twice is decided once, where it came first.
        by_payment.setdefault(one.payment_id, {}).setdefault(one.command_id, one)
    comparison = Comparison(only_facts=not recorded.outcomes)
    whole: dict[str, Sequence[Asked]] = {}
    for payment_id, commands in by_payment.items():
        if _begins_before(payment_id, list(commands.values()), recorded):
            comparison.begun_before += 1
        else:
            whole[payment_id] = list(commands.values())
    reached = _reached(whole, recorded, today)
    for payment_id, known in whole.items():
        _Payment(payment_id, known, recorded, today, reached).compare(comparison)
    _strangers(by_payment, recorded, comparison)
    return comparison


def _begins_before(payment_id: str, commands: Sequence[Asked], recorded: Decisions) -> bool:
    """Whether the source lacks the payment's beginning. A second create is refused, and then it
    says nothing either."""
    create = next((one for one in commands if one.type == "payment.create"), None)
    if create is None:
        return True
    outcome = recorded.outcomes.get(create.command_id)
    if outcome is not None and outcome.refusal == "payment_exists":
        return True
    facts = recorded.facts.get(payment_id)
    return bool(facts) and min(facts or ()) > 1


def _reached(
    whole: dict[str, Sequence[Asked]], recorded: Decisions, today: Decisions
) -> dict[int, int]:
    """How far the recording goes in each partition: the last command whose decision is in it."""
    reached: dict[int, int] = {}
    for payment_id, commands in whole.items():
        facts = recorded.facts.get(payment_id, {})
        for one in commands:
            outcome = today.outcomes.get(one.command_id)
            told = outcome is not None and any(n in facts for n in outcome.sequences)
            if told or one.command_id in recorded.outcomes:
                reached[one.partition] = max(reached.get(one.partition, -1), one.offset)
    return reached


def _strangers(known: Iterable[str], recorded: Decisions, comparison: Comparison) -> None:
    """Facts of payments that no command of the source is about: they began before it, too."""
    comparison.begun_before += len(set(recorded.facts) - set(known))


@dataclass(frozen=True, slots=True)
class _Payment:
    """One payment's commands, and both versions of what they came to."""

    id: str
    commands: Sequence[Asked]
    recorded: Decisions
    today: Decisions
    reached: dict[int, int]

    def compare(self, comparison: Comparison) -> None:
        late = [one for one in self.commands if self._is_late(one)]
        comparison.payments += 1
        comparison.commands += len(self.commands) - len(late)
        comparison.not_recorded_yet += len(late)
        known, told = self._facts()
        comparison.facts += len(known.keys() & told.keys())
        comparison.note(self._outcomes(late))
        comparison.note(self._repeats())
        behind = {n for one in late for n in self._today_of(one).sequences if n not in known}
        for sequence in sorted(known.keys() | told.keys() - behind):
            comparison.note(self._fact(sequence, known.get(sequence), told.get(sequence)))

    def _facts(self) -> tuple[dict[int, bytes], dict[int, bytes]]:
        """As recorded, and as told today by commands of the source: a reminder that a worker sends
        at once may stand behind the source's end, and is decided all the same."""
        told = self.today.facts.get(self.id, {})
        by_source = {n for one in self.commands for n in self._today_of(one).sequences}
        return self.recorded.facts.get(self.id, {}), {n: told[n] for n in told.keys() & by_source}

    def _today_of(self, one: Asked) -> Outcome:
        return self.today.outcomes.get(one.command_id, _NOTHING)

    def _is_late(self, one: Asked) -> bool:
        """Whether the recording ends before this command's decision."""
        if one.offset <= self.reached.get(one.partition, -1):
            return False
        # Without operations only its facts could show that it was decided.
        known = one.command_id in self.today.outcomes and self.recorded.outcomes
        return bool(known) or bool(self._today_of(one).sequences)

    def _outcomes(self, late: Sequence[Asked]) -> Iterator[Difference]:
        if not self.recorded.outcomes:
            return
        for one in self.commands:
            if one not in late:
                yield from self._outcome(one)

    def _outcome(self, one: Asked) -> Iterator[Difference]:
        known = self.recorded.outcomes.get(one.command_id)
        now = self.today.outcomes.get(one.command_id)
        if known is None and now is None:  # a dead letter then and now
            return
        if known is None or now is None or known.refusal != now.refusal:
            before = self._status(known, one, self.recorded)
            today = self._status(now, one, self.today)
            yield self._differs(one, "status", f"recorded: {before}; today: {today}")
            return
        if known.requests != now.requests:
            changes = differences.of_values(known.requests, now.requests)
            yield self._differs(one, "requests", "asks its bank otherwise", changes)
        if known.result != now.result:
            changes = differences.of_bytes(known.result or b"", now.result or b"")
            yield self._differs(one, "answer", "answers its client otherwise", changes)

    @staticmethod
    def _status(outcome: Outcome | None, one: Asked, of: Decisions) -> str:
        if outcome is None:
            why = of.dead.get(one.command_id)
            return f"not decided, a dead letter ({why})" if why else "not decided, a dead letter"
        return f"refused with {outcome.refusal}" if outcome.refusal else "decided"

    def _repeats(self) -> Iterator[Difference]:
        """What was told twice, in different bytes, by whichever of the two."""
        for decisions, who in ((self.recorded, "recorded"), (self.today, "told today")):
            for payment_id, sequence, value in decisions.contradicting:
                if payment_id == self.id:
                    changes = differences.of_bytes(decisions.facts[self.id][sequence], value)
                    said = f"fact {sequence} was {who} twice, in different bytes"
                    yield self._differs(self._cause(sequence), "repeat", said, changes, sequence)

    def _fact(self, sequence: int, known: bytes | None, told: bytes | None) -> Iterator[Difference]:
        if known == told:
            return
        changes: tuple[differences.Change, ...] = ()
        if known is not None and told is not None:
            said = f"fact {sequence} ({_type(known)}) has other bytes today"
            changes = differences.of_bytes(known, told)
        elif known is not None:
            said = (
                f"fact {sequence} ({_type(known)}) was recorded, and today's code does not tell it"
            )
        else:
            said = f"today's code tells fact {sequence} ({_type(told)}), which was not recorded"
        yield self._differs(self._cause(sequence), "fact", said, changes, sequence)

    def _cause(self, sequence: int) -> Asked | None:
        """The command behind a fact: by today's decision, by the recorded one, or by its time."""
        for outcomes in (self.today.outcomes, self.recorded.outcomes):
            for one in self.commands:
                if sequence in outcomes.get(one.command_id, _NOTHING).sequences:
                    return one
        at_ms = _at_ms(self.recorded.facts.get(self.id, {}).get(sequence))
        return next((one for one in reversed(self.commands) if one.at_ms == at_ms), None)

    def _differs(
        self,
        command: Asked | None,
        what: str,
        said: str,
        changes: tuple[differences.Change, ...] = (),
        sequence: int | None = None,
    ) -> Difference:
        return Difference(self.id, command, what, said, sequence, changes)


_NOTHING = Outcome(None, 1, 0, [], None)


def _type(fact: bytes | None) -> str:
    return str(orjson.loads(fact or b"{}").get("type"))


def _at_ms(fact: bytes | None) -> int | None:
    """When a fact was decided; its command has the same time."""
    try:
        return from_iso(orjson.loads(fact or b"")["created_at"])
    except (ValueError, KeyError, TypeError):
        return None
