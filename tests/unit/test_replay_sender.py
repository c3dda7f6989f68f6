"""The sender: an open loop, children behind their parents, patience, and a journal to go on from.

Time is virtual: the loop's clock jumps to the next thing that waits.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from headgate.replay.checks import answered
from headgate.replay.journal import Journal, RunExists, RunUnknown
from headgate.replay.outlook import Outlook
from headgate.replay.pace import AsFast, AsRecorded, Pace, Shaped
from headgate.replay.rest_calls import NotRepeatable
from headgate.replay.sender import ORPHAN, PARENT_REFUSED, REST_WAIT_S, CutOff, Limits, Sender
from headgate.replay.shapes import Steady
from headgate.replay.sinks import Outcome
from headgate.replay.steps import Place, Step, Steps
from headgate.replay.tally import Tally
from tests.unit import jumping_loop
from tests.unit.replay_setting import (
    BEGAN_MS,
    Edge,
    Records,
    answer,
    capture,
    create,
    refund,
)

REFUSED = Outcome(402, "decline:do_not_honor", "", "p")
GONE = Outcome(0, "no_answer", again=True)
BUSY = Outcome(503, "log_away", again=True, wait_s=5)


class Play:
    """A run over some records."""

    def __init__(
        self,
        folder: Path,
        records: Records,
        edge: Edge | None = None,
        pace: Pace | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.records = records
        self.edge = edge or Edge()
        self.tally = Tally()
        self.journal = Journal(folder, "run_a")
        self.pace = pace or AsRecorded(BEGAN_MS)
        self.limits = limits or Limits()

    async def send(self) -> bool:
        """One sitting."""
        self.journal.restore(self.tally)
        outlook = await Outlook.of(self.records)
        sender = Sender(
            self.edge, self.pace, self.tally, self.journal, BEGAN_MS + 10**9, self.limits
        )
        try:
            return await sender.send(aiter(Steps(self.records, outlook)), outlook.first_at_ms)
        finally:
            self.journal.close()
            assert self.records.open == 0, "a source that is left holds its connection"

    def run(self) -> float:
        """One sitting in virtual time; how long it took, in seconds."""

        async def timed() -> float:
            began = asyncio.get_running_loop().time()
            await self.send()
            return asyncio.get_running_loop().time() - began

        return jumping_loop.run(timed())

    @property
    def asked(self) -> list[str]:
        """The operations that were sent, in order."""
        return [str(each.recorded.model_dump()["type"]) for each in self.edge.asked]


def test_gaps_are_kept_and_latencies_are_those_of_answers(tmp_path: Path) -> None:
    play = Play(tmp_path, Records([create(n) for n in range(4)]), Edge(takes_s=0.25))
    assert play.run() == pytest.approx(3.25, abs=0.01)
    assert play.tally.answered == {201: 4}
    assert play.tally.percentile_us(100) == pytest.approx(250_000, rel=0.01)
    assert len(play.tally.accepted) == 4


def test_a_system_that_stands_still_is_seen_in_every_latency_that_it_delayed(
    tmp_path: Path,
) -> None:
    """No coordinated omission: with room for one step, each waits for all before it."""
    play = Play(
        tmp_path,
        Records([create(n) for n in range(4)], every_ms=0),
        Edge(takes_s=1.0),
        limits=Limits(in_flight=1),
    )
    play.run()
    found = [play.tally.percentile_us(each) for each in (25, 50, 75, 100)]
    assert found == pytest.approx([1e6, 2e6, 3e6, 4e6], rel=0.01)
    assert play.tally.behind_s == pytest.approx(2.0, abs=0.01)


def test_payments_with_children_wait_for_room_as_the_others_do(tmp_path: Path) -> None:
    """And the sender says that it is behind."""
    found = [create(n) for n in range(4)]
    records = Records([*found, *[capture(one) for one in found]], every_ms=0)
    play = Play(tmp_path, records, Edge(takes_s=1.0), limits=Limits(in_flight=1))
    play.run()
    assert play.edge.most_at_once == 1
    assert play.tally.percentile_us(50) >= 0.99e6
    assert play.tally.percentile_us(100) >= 3.99e6
    assert play.tally.behind_s > 2


def test_as_fast_as_it_goes_fills_the_room_and_counts_from_there(tmp_path: Path) -> None:
    play = Play(
        tmp_path,
        Records([create(n) for n in range(20)]),
        Edge(takes_s=1.0),
        AsFast(),
        Limits(in_flight=5),
    )
    assert play.run() == pytest.approx(4.0, abs=0.01)
    assert play.edge.most_at_once == 5
    assert play.tally.percentile_us(100) == pytest.approx(1e6, rel=0.01)


def test_a_child_waits_for_its_parents_answer_and_for_the_bank(tmp_path: Path) -> None:
    one = create(1)
    records = Records([one, answer(one, "approved"), capture(one), refund(one)], every_ms=0)
    play = Play(tmp_path, records, Edge(takes_s=2.0, looks_until_rest=3))
    play.run()
    assert play.asked == ["payment.create", "payment.capture", "payment.refund"]
    assert play.edge.most_at_once == 1
    assert play.edge.looks == {one.payment_id: 4}  # before the capture only
    # A child could not be sent before: its latency is its own.
    assert play.tally.percentile_us(100) == pytest.approx(2e6, rel=0.01)
    assert list(play.tally.children.values()) == [play.edge.payment_of(step(one))] * 2


def test_the_bank_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    one = create(1)
    records = Records([one, answer(one, "approved"), capture(one)], every_ms=0)
    play = Play(tmp_path, records, Edge(looks_until_rest=10**6))
    assert play.run() == pytest.approx(REST_WAIT_S, abs=1)
    assert play.asked == ["payment.create", "payment.capture"]


def test_children_of_a_refused_parent_are_not_sent_and_told(tmp_path: Path) -> None:
    one = create(1)
    edge = Edge(outcomes={"payment.create": [REFUSED]})
    play = Play(tmp_path, Records([one, capture(one), refund(one), create(2)]), edge)
    play.run()
    assert play.asked == ["payment.create", "payment.create"]
    assert play.tally.skipped == {PARENT_REFUSED: 2}
    assert play.tally.refused == {"decline:do_not_honor": 1}
    assert play.tally.sent == 2


def test_a_child_without_a_parent_in_the_source_is_not_sent_and_told(tmp_path: Path) -> None:
    play = Play(tmp_path, Records([capture(create(1)), create(2)]))
    play.run()
    assert play.tally.skipped == {ORPHAN: 1}
    assert play.asked == ["payment.create"]


def test_a_try_without_an_answer_is_made_again_and_counted(tmp_path: Path) -> None:
    edge = Edge(outcomes={"payment.create": [GONE, GONE, BUSY]})
    play = Play(tmp_path, Records([create(1)]), edge)
    assert play.run() == pytest.approx(5.3, abs=0.2)  # the answer said to wait 5 s
    assert play.tally.repeated == {0: 2, 503: 1}
    assert play.tally.answered == {201: 1}
    assert play.tally.sent == 1
    assert len({each.recorded.command_id for each in play.edge.asked}) == 1


def test_all_that_was_counted_is_known_also_after_going_on(tmp_path: Path) -> None:
    """Tries of steps that were not done with when the run was cut off, too."""
    records = Records([create(n) for n in range(3)], every_ms=0)
    played = Outcome(201, "", "p0", "p0", approximated="lost_card by decline")
    edge = Edge(outcomes={"payment.create": [played, *[BUSY] * 1000]})
    cut = Play(tmp_path, records, edge, limits=Limits(patience_s=30))
    with pytest.raises(CutOff):
        cut.run()
    again = Play(tmp_path, records)
    again.run()
    assert again.tally.repeated == cut.tally.repeated
    assert again.tally.repeated[503] > 10
    assert again.tally.approximated == {"lost_card by decline": 1}


def test_payments_whose_create_was_given_up_are_known_also_after_going_on(tmp_path: Path) -> None:
    class Choosy(Edge):
        async def send(self, step: Step, shift_ms: int) -> Outcome:
            told = await super().send(step, shift_ms)
            return GONE if step.payment == create(0).payment_id else told

    records = Records([create(n) for n in range(400)])
    for edge in (Choosy(), Edge()):
        play = Play(tmp_path, records, edge, limits=Limits(patience_s=10))
        play.run()
        assert play.tally.unanswered == {edge.payment_of(step(create(0)))}
        assert play.tally.given_up == {0: 1}


def test_an_edge_that_is_gone_cuts_the_run_off_and_it_goes_on_later(tmp_path: Path) -> None:
    records = Records([create(n) for n in range(5)])
    gone = Edge(outcomes={"payment.create": [Outcome(201, "", "p0", "p0"), *[GONE] * 1000]})
    play = Play(tmp_path, records, gone, limits=Limits(patience_s=30))
    with pytest.raises(CutOff, match="nothing was answered for 30 s"):
        play.run()
    again = Play(tmp_path, records)
    again.run()
    assert len(again.edge.asked) == 4
    assert again.tally.answered == {201: 5}
    assert again.tally.sent == 5
    assert "p0" in again.tally.accepted


def test_a_step_that_alone_is_never_answered_is_given_up(tmp_path: Path) -> None:
    wrong = Outcome(500, "internal_error", again=True)
    edge = Edge(outcomes={"payment.capture": [wrong] * 10_000})
    one = create(0)
    records = Records([one, capture(one), *[create(n) for n in range(1, 400)]])
    play = Play(tmp_path, records, edge, limits=Limits(patience_s=10))
    play.run()
    assert play.tally.answered == {201: 400, 500: 1}
    assert play.tally.refused == {"internal_error": 1}
    assert not play.tally.unanswered


@pytest.mark.parametrize(
    "busy", [Outcome(429, "rate_limited"), Outcome(409, "idempotency_key_in_use")]
)
def test_a_step_that_was_only_put_off_has_no_final_answer_also_after_going_on(
    tmp_path: Path, busy: Outcome
) -> None:
    one = create(0)
    records = Records([one, capture(one), *[create(n) for n in range(1, 400)]])
    edge = Edge(outcomes={"payment.capture": [busy._replace(again=True)] * 10_000})
    play = Play(tmp_path, records, edge, limits=Limits(patience_s=10))
    play.run()
    again = Play(tmp_path, records)
    again.run()
    for tally in (play.tally, again.tally):
        assert tally.answered == {201: 400, busy.status: 1}
        assert tally.given_up == {busy.status: 1}
        line = answered(tally)
        assert (line.ok, line.expected, line.found) == (False, 401, 400)


def test_a_run_that_goes_on_keeps_children_behind_their_parents(tmp_path: Path) -> None:
    one, two = create(1), create(2)
    edge = Edge(outcomes={"payment.create": [Outcome(201, "", "p1", "p1"), REFUSED]})
    records = Records([one, two, capture(one), capture(two)], every_ms=10_000)
    first = Play(tmp_path, records, edge, limits=Limits(for_s=15))
    first.run()
    assert first.asked == ["payment.create", "payment.create"]
    again = Play(tmp_path, records)
    again.run()
    assert [each.payment for each in again.edge.asked] == [one.payment_id]
    assert again.tally.skipped == {PARENT_REFUSED: 1}
    assert again.tally.answered == {201: 2, 402: 1}


def test_times_move_with_the_plan_and_alike_in_every_sitting(tmp_path: Path) -> None:
    records = Records([create(1), create(2)], every_ms=10_000)
    play = Play(tmp_path, records, pace=AsRecorded(BEGAN_MS, 10))
    play.run()
    assert play.edge.shifts == [10**9, 10**9 - 9000]
    fast = Play(tmp_path / "fast", records, pace=AsFast())
    (tmp_path / "fast").mkdir()
    fast.run()
    assert fast.edge.shifts == [10**9, 10**9]


def test_a_run_ends_with_its_time(tmp_path: Path) -> None:
    records = Records([create(n) for n in range(100)])
    play = Play(tmp_path, records, pace=Shaped(Steady(10)), limits=Limits(for_s=2.05))
    play.run()
    assert play.tally.answered == {201: 21}


def test_a_run_without_a_plan_ends_with_its_time_too(tmp_path: Path) -> None:
    records = Records([create(n) for n in range(100)])
    play = Play(tmp_path, records, Edge(takes_s=1.0), AsFast(), Limits(in_flight=1, for_s=9.5))
    assert play.run() < 12
    assert play.tally.done == len(play.edge.asked) < 13


def test_what_cannot_be_repeated_is_not_sent_and_told(tmp_path: Path) -> None:
    class Choosy(Edge):
        async def send(self, step: Step, shift_ms: int) -> Outcome:
            raise NotRepeatable("it had no idempotency key")

    play = Play(tmp_path, Records([create(1)]), Choosy())
    play.run()
    assert play.tally.skipped == {"it had no idempotency key": 1}
    assert (play.tally.sent, play.tally.done) == (0, 0)


def test_payments_that_are_to_be_in_doubt_are_known_also_after_going_on(tmp_path: Path) -> None:
    records = Records([create(1, scenario="timeout"), create(2)])
    for _ in range(2):
        play = Play(tmp_path, records)
        play.run()
        assert len(play.tally.in_doubt) == 1


def test_what_was_refused_anew_is_known_also_after_going_on(tmp_path: Path) -> None:
    reused = Outcome(422, "idempotency_key_reused", "", "p", anew=True)
    for _ in range(2):
        play = Play(tmp_path, Records([create(1)]), Edge(outcomes={"payment.create": [reused]}))
        play.run()
        assert play.tally.refused_anew == play.tally.refused == {reused.code: 1}


def test_an_error_of_the_source_is_told_as_it_is(tmp_path: Path) -> None:
    class Torn(Records):
        async def records(self):  # type: ignore[no-untyped-def]
            async with aclosing(super().records()) as records:
                async for each in records:
                    self.times_read += 1
                    if self.times_read > 4:
                        raise OSError("torn")
                    yield each

    with pytest.raises(OSError, match="torn"):
        Play(tmp_path, Torn([create(1), create(2)])).run()


def test_a_line_that_a_kill_has_torn_is_a_step_that_is_sent_again(tmp_path: Path) -> None:
    place = Place(0, "payments.commands", 0, 0)
    journal = Journal(tmp_path, "run_a")
    journal.write(place, Outcome(201, "", "p0", "p0"), 5)
    journal.write(place._replace(offset=1), Outcome(201, "", "p1", "p1"), 5)
    journal.close()
    answers = tmp_path / "run_a.answers"
    answers.write_bytes(answers.read_bytes()[:-9])
    play = Play(tmp_path, Records([create(0), create(1)]))
    play.run()
    assert len(play.edge.asked) == 1
    third = Play(tmp_path, Records([create(0), create(1)]))
    third.run()
    assert third.tally.answered == {201: 2}
    assert not third.edge.asked


def test_a_journal_is_for_its_owner_alone_and_an_unknown_run_is_named(tmp_path: Path) -> None:
    Journal.begin(tmp_path, "run_a", {"secret": "s"}).close()
    for file in tmp_path.iterdir():
        assert file.stat().st_mode & 0o077 == 0
    assert Journal.read(tmp_path, "run_a") == {"secret": "s"}
    with pytest.raises(RunExists, match="--resume run_a"):
        Journal.begin(tmp_path, "run_a", {})
    Journal.begin(tmp_path, "run_a", {"secret": "s"}, again=True).close()
    with pytest.raises(RunUnknown, match=r"run_b.*there are run_a"):
        Journal.read(tmp_path, "run_b")


def step(command: object) -> Step:
    return Step(Place(0, "payments.commands", 0, 0), BEGAN_MS, command)  # type: ignore[arg-type]
