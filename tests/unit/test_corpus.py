"""Today's code decides what was recorded as it was recorded (08 R35)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import get_args

import orjson
import pytest

from headgate.replay import fold
from headgate.replay.decisions import Asked, Recording
from headgate.replay.file_source import FileSource
from headgate.replay.selection import Selection
from headgate.replay.verify import lines, recorded, verified_in_memory
from headgate.streams import cards
from headgate.streams.commands import COMMAND, CapturePayment, Command
from headgate.streams.facts import FactType
from headgate.streams.plays import PLAYS
from headgate.tables import payments
from headgate.tables.payment import Payment
from headgate.tables.payments import Decision

FILES = sorted((Path(__file__).parents[1] / "corpus").glob("*.ndjson.zst"))
BYTES_MAX = 300_000
NEVER = {
    # What takes a day, a week or an operator to happen.
    "payment.expired",
    *(f"{kind}.needs_review" for kind in ("capture", "void", "refund", "reversal", "increment")),
    # What no test value makes a bank do.
    *(f"{kind}.in_doubt" for kind in ("capture", "void", "refund", "reversal", "increment")),
    *(f"{kind}.failed" for kind in ("void", "reversal", "increment")),
}


def quiet(what: str, done: int, total: int) -> None:
    """Progress that nobody reads."""
    del what, done, total


def recording(file: Path) -> Recording:
    """All of a file."""
    return asyncio.run(recorded(FileSource(file, Selection()), quiet))


@pytest.fixture(scope="module")
def corpus() -> Recording:
    """The recorded shop."""
    return recording(FILES[0])


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name))
def test_the_corpus_is_decided_as_it_was_recorded(file: Path) -> None:
    comparison = verified_in_memory(recording(file), quiet)
    assert comparison.same, "\n".join(lines(comparison))
    assert comparison.commands > 300
    assert (comparison.not_recorded_yet, comparison.only_facts) == (0, False)


def test_the_corpus_holds_every_command_play_and_fact(corpus: Recording) -> None:
    types = {one.type for one in corpus.asked()}
    kinds = {kind.model_fields["type"].default for kind in get_args(get_args(Command)[0])}
    assert kinds - types <= {"payment.resolve", "payment.inquire"}
    values = [orjson.loads(one.value or b"null") for one in corpus.commands if one.value != b"{"]
    assert set(PLAYS) - {"refund_fails"} <= {value.get("scenario") for value in values}
    told = {
        orjson.loads(value)["type"]
        for facts in corpus.decisions.facts.values()
        for value in facts.values()
    }
    assert set(get_args(FactType)) - NEVER <= told
    refusals = {one.refusal for one in corpus.decisions.outcomes.values()} - {None}
    assert len(refusals) > 8
    again = [one.command_id for one in corpus.asked()]
    assert len(again) > len(set(again))


def test_the_corpus_is_small_and_holds_no_card_number(corpus: Recording) -> None:
    assert sum(file.stat().st_size for file in FILES) < BYTES_MAX
    for one in corpus.commands:
        text = (
            COMMAND.dump_json(COMMAND.validate_json(one.value or b""))
            if _readable(one.value)
            else b""
        )
        assert cards.find_number(text.decode()) is None


def _readable(value: bytes | None) -> bool:
    try:
        COMMAND.validate_json(value or b"")
    except ValueError:
        return False
    return True


def test_a_rule_that_changed_is_seen_in_the_corpus(
    corpus: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stricter(payment: Payment | None, command: Command, at_ms: int) -> Decision:
        if isinstance(command, CapturePayment) and not command.final:
            return Decision(payment, refusal=payments.Refusal("no_parts", "Whole only."))
        return payments.decide(payment, command, at_ms)

    monkeypatch.setattr(fold, "decide", stricter)
    comparison = verified_in_memory(corpus, quiet)
    assert not comparison.same
    told = "\n".join(lines(comparison))
    assert "payment.capture" in told
    assert "today: refused with no_parts" in told


def test_a_fact_that_was_changed_in_the_file_is_seen(corpus: Recording) -> None:
    changed = Recording(corpus.commands, corpus.decisions, corpus.facts)
    asked = next(one for one in corpus.asked() if one.type == "payment.create")
    before = corpus.decisions.facts[asked.payment_id]
    facts = {**before, 1: before[1].replace(b'"sequence":1', b'"sequence": 1')}
    try:
        corpus.decisions.facts[asked.payment_id] = facts
        (difference,) = verified_in_memory(changed, quiet).differences
    finally:
        corpus.decisions.facts[asked.payment_id] = before
    assert isinstance(difference.command, Asked)
    assert (difference.payment_id, difference.sequence) == (asked.payment_id, 1)
