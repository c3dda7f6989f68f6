"""Starts everything in order, keeps it running, and stops all of it in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from headgate.embedded import status
from headgate.embedded.errors import CannotStart
from headgate.embedded.keeper import Keeper
from headgate.embedded.program import Program, Tell
from headgate.embedded.voice import Voice

STEP_TRIES_MAX = 5
STEP_BACKOFF_S = 0.5


@dataclass(frozen=True)
class Step:
    """Something done once between two starts; it must be safe to repeat."""

    title: str
    action: Callable[[], Awaitable[str]]
    """Answers what it did, in a few words, or nothing."""


@dataclass(frozen=True)
class Together:
    """Programs that start at the same time; the next entry of the plan waits for all of them."""

    programs: Sequence[Program]


@dataclass(frozen=True)
class Plan:
    """What to start, in order, and what to stop, in order."""

    start: Sequence[Together | Step]
    stop: Sequence[Sequence[str]]
    """Groups of roles: those of a group stop at the same time."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Where clients reach the edge, Kafka, Redis and PostgreSQL."""


class Supervisor:
    """Runs one plan. Nothing that dies or is away ends it; only `stop` does."""

    def __init__(self, plan: Plan, state_dir: Path, voice: Voice) -> None:
        self._plan = plan
        self._state_dir = state_dir
        self._voice = voice
        self._since = datetime.now(UTC)
        self._phase = "starting"
        programs = [
            program
            for entry in plan.start
            if isinstance(entry, Together)
            for program in entry.programs
        ]
        self._keepers = {
            program.role: Keeper(program, voice.say, self._changed) for program in programs
        }

    async def start(self) -> None:
        """Carry out the plan. Raises CannotStart with what to tell the person."""
        self._changed()
        for entry in self._plan.start:
            if isinstance(entry, Step):
                await self._do(entry)
            else:
                await self._start_together(entry)
        self._phase = "running"
        self._changed()

    async def _start_together(self, entry: Together) -> None:
        keepers = [self._keepers[program.role] for program in entry.programs]
        for keeper in keepers:
            keeper.start()
        try:
            async with asyncio.TaskGroup() as group:
                for keeper in keepers:
                    group.create_task(self._until_ready(keeper))
        except ExceptionGroup as errors:
            raise CannotStart("\n".join(map(str, errors.exceptions))) from errors

    async def _until_ready(self, keeper: Keeper) -> None:
        with self._voice.waiting(keeper.program.title) as wait:
            await keeper.ready(wait.tell)

    async def _do(self, step: Step) -> None:
        with self._voice.waiting(step.title) as wait:
            wait.tell("working")
            did = await _tried(step, wait.tell)
        if did:
            self._voice.say(f"    {did}")

    async def stop(self) -> None:
        """Stop every process, group after group. Takes at most the sum of the groups' waits."""
        self._phase = "stopping"
        for group in self._plan.stop:
            await asyncio.gather(*(self._keepers[r].stop() for r in group if r in self._keepers))
        status.remove(self._state_dir)

    def _changed(self) -> None:
        """Tell `headgate status`, in one atomic write."""
        keepers = list(self._keepers.values())
        now = status.Status.of(self._phase, self._since, self._plan.addresses, keepers)
        try:
            status.write(self._state_dir, now)
        except OSError as error:  # A full disk must not end the supervision.
            self._voice.say(f"the status cannot be written: {error}")


async def _tried(step: Step, tell: Tell) -> str:
    """Do a step; a server may die under it, so it is tried a few times."""
    for tries in range(1, STEP_TRIES_MAX + 1):
        try:
            return await step.action()
        except Exception as error:  # Whatever goes wrong ends in words for a person.
            if tries == STEP_TRIES_MAX:
                raise CannotStart(f"{step.title}: {type(error).__name__}: {error}") from error
            tell(f"{error}; trying again")
            await asyncio.sleep(STEP_BACKOFF_S * 2**tries)
    raise AssertionError
