"""Sends the steps of a source by the plan of a pace, each until it has its final answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace

from headgate.replay.families import Due, Families, Family
from headgate.replay.journal import SKIPPED, Journal, count
from headgate.replay.pace import Pace
from headgate.replay.rest_calls import NotRepeatable
from headgate.replay.sinks import Outcome, Sink
from headgate.replay.steps import Step
from headgate.replay.tally import Tally
from headgate.streams.bus import delays_s
from headgate.streams.errors import HeadgateError

IN_FLIGHT_MAX = 256
"""Steps that wait for an answer at a time, unless told otherwise. Beyond it the sender falls behind
its plan, which is counted into every latency and shown as lag; nothing is left out."""
HELD_MAX = 10_000
"""Steps held behind the one before them on their payment. Beyond it the sender waits likewise."""
PATIENCE_S = 60.0
"""How long nothing at all may be answered before a run is cut off, unless told otherwise."""
STEP_PATIENCE = 5
"""After so many times the patience a step that alone gets no final answer is given up."""
REST_WAIT_S = 60.0
"""How long a step waits for the bank's word on the one before it; then it is sent all the same."""
AGAIN_MS, AGAIN_MAX_MS = 100, 2000
REST_POLL_MS, REST_POLL_MAX_MS = 20, 500
TURN_EVERY = 16
"""After so many steps without a pause the loop gets its turn."""

ORPHAN = "its payment is not in the source"
PARENT_REFUSED = "its payment was refused"


class CutOff(HeadgateError):
    """The other side has answered nothing for too long; the run can go on later."""


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first, of what a group of tasks ended with."""
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a sender."""

    in_flight: int = IN_FLIGHT_MAX
    patience_s: float = PATIENCE_S
    for_s: float | None = None
    """Steps due later than this are not sent; None sends all."""

    def over(self, due_s: float | None, began: float) -> bool:
        """Whether the time is over at a step. Without a plan it is that of the sitting, which began
        at `began` on the loop's clock."""
        if self.for_s is None:
            return False
        spent_s = asyncio.get_running_loop().time() - began if due_s is None else due_s
        return spent_s > self.for_s


class Sender:
    """One sitting of a run."""

    def __init__(
        self, sink: Sink, pace: Pace, tally: Tally, journal: Journal, began_ms: int, limits: Limits
    ) -> None:
        """`began_ms` is when the run's first sitting began: times in steps are moved by it."""
        self._sink = sink
        self._pace = pace
        self._tally = tally
        self._journal = journal
        self._began_ms = began_ms
        self._limits = limits
        self._families = Families()
        self._slots = asyncio.Semaphore(limits.in_flight)
        self._held = asyncio.Semaphore(HELD_MAX)
        self._number = 0
        self._origin: float | None = None
        self._began = 0.0
        self._heard_at = 0.0
        """When any step got its final answer last."""

    async def send(self, steps: AsyncGenerator[Step, None], first_at_ms: int) -> bool:
        """Send them all; False when the time was over before. `first_at_ms` is when the first one
        was recorded. Raises CutOff, and what `steps` does."""
        self._began = self._heard_at = asyncio.get_running_loop().time()
        try:
            async with aclosing(steps), asyncio.TaskGroup() as group:
                async for step in steps:
                    if not await self._take(step, first_at_ms, group):
                        return False
        except BaseExceptionGroup as group:
            raise first_of(group) from group
        return True

    async def _take(self, step: Step, first_at_ms: int, group: asyncio.TaskGroup) -> bool:
        """Hand on the next step when it is due; False when that is beyond the time."""
        self._number += 1
        due_s = self._pace.due_s(self._number - 1, step.at_ms)
        if self._limits.over(due_s, self._began):
            return False
        known = self._journal.known(step.place)
        if known is not None:
            self._remember(step, accepted=known)
            return True
        at = await self._until(due_s)
        # What the plan moved, its times move with; without a plan they keep their recorded gaps.
        shift_ms = self._began_ms - (first_at_ms if due_s is None else step.at_ms)
        await self._hand(Due(step, at, shift_ms + round(1000 * (due_s or 0.0))), group)
        return True

    def _remember(self, step: Step, *, accepted: bool) -> None:
        """A step of an earlier sitting."""
        self._families.of(step)
        self._families.settle(step, accepted=accepted)
        if accepted and self._sink.plays_doubt(step):
            self._tally.in_doubt.add(self._sink.payment_of(step))

    async def _until(self, due_s: float | None) -> float:
        """Wait for the plan's moment; tells it on the loop's clock."""
        clock = asyncio.get_running_loop().time
        if self._number % TURN_EVERY == 0:
            await asyncio.sleep(0)
        if due_s is None:
            return clock()
        if self._origin is None:
            self._origin = clock() - due_s
        at = self._origin + due_s
        while (left := at - clock()) > 0:
            self._tally.behind_s = 0.0
            await asyncio.sleep(left)
        self._tally.behind_s = clock() - at
        return at

    async def _hand(self, due: Due, group: asyncio.TaskGroup) -> None:
        """Alone, or behind others of its payment."""
        family, step = self._families.of(due.step), due.step
        if family is None and not step.creates:
            self._skip(step, ORPHAN)
        elif family is None:
            group.create_task(self._alone(await self._with_slot(due)))
        else:
            await self._held.acquire()
            if step.creates and family.accepted is None and not family.busy:
                due = await self._with_slot(due)
            family.waiting.append(due)
            if not family.busy:
                family.busy = True
                group.create_task(self._one_by_one(family))

    async def _with_slot(self, due: Due) -> Due:
        """When there is room in flight. As fast as it goes, that is when a step is due."""
        await self._slots.acquire()
        at = due.at if self._origin is not None else asyncio.get_running_loop().time()
        return replace(due, at=at, has_slot=True)

    async def _alone(self, due: Due) -> None:
        """Deliver what has its slot, and give that back."""
        try:
            await self._deliver(due)
        finally:
            self._slots.release()

    async def _one_by_one(self, family: Family) -> None:
        """Work on what waits for one payment, until nothing does."""
        while family.waiting:
            due = family.waiting.popleft()
            try:
                await self._child(family, due)
            finally:
                self._held.release()
        family.busy = False

    async def _child(self, family: Family, due: Due) -> None:
        if due.has_slot:
            await self._alone(due)
            return
        if not due.step.creates and not family.accepted:
            self._skip(due.step, PARENT_REFUSED)
            return
        if due.step.after_bank:
            await self._rest(due.step)
        # It could not be sent before now, so its latency does not count from before.
        ready = asyncio.get_running_loop().time()
        later = await self._with_slot(due)
        await self._alone(replace(later, at=max(later.at, ready)))

    async def _rest(self, step: Step) -> None:
        """Until the payment's bank has said everything, or `REST_WAIT_S` are over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REST_WAIT_S):
                for pause in delays_s(REST_POLL_MS, REST_POLL_MAX_MS):
                    if await self._sink.rests(step):
                        return
                    await asyncio.sleep(pause)

    async def _deliver(self, due: Due) -> None:
        """Send one step until it has its final answer, and count that."""
        self._tally.sent += 1
        self._tally.in_flight += 1
        try:
            outcome = await self._insist(due)
        except NotRepeatable as reason:
            self._tally.sent -= 1
            self._skip(due.step, str(reason))
            return
        finally:
            self._tally.in_flight -= 1
        self._note(due, outcome)

    async def _insist(self, due: Due) -> Outcome:
        clock = asyncio.get_running_loop().time
        began, pauses = clock(), delays_s(AGAIN_MS, AGAIN_MAX_MS)
        while True:
            outcome = await self._sink.send(due.step, due.shift_ms)
            if not outcome.again:
                return outcome
            self._tally.repeated[outcome.status] += 1
            self._journal.repeat(outcome.status)
            if clock() - max(began, self._heard_at) > self._limits.patience_s:
                raise CutOff(
                    f"nothing was answered for {self._limits.patience_s:g} s; at last "
                    f"{outcome.code}, status {outcome.status}"
                )
            if clock() - began > STEP_PATIENCE * self._limits.patience_s:
                return outcome
            await asyncio.sleep(max(next(pauses), outcome.wait_s))

    def _note(self, due: Due, outcome: Outcome) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        latency_us = round(1_000_000 * (self._heard_at - due.at))
        step = due.step
        if outcome.again and step.creates:
            outcome = outcome._replace(id=self._sink.payment_of(step))
        count(self._tally, outcome, latency_us)
        self._journal.write(step.place, outcome, latency_us)
        if outcome.accepted and self._sink.plays_doubt(step):
            self._tally.in_doubt.add(outcome.payment_id)
        self._families.settle(step, accepted=outcome.accepted)

    def _skip(self, step: Step, why: str) -> None:
        outcome = Outcome(SKIPPED, why)
        count(self._tally, outcome, 0)
        self._journal.write(step.place, outcome)
        self._families.settle(step, accepted=False)
