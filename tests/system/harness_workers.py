"""Worker processes of one role, minded as `headgate up` minds them, and the ways to break them."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from headgate.embedded import process
from headgate.streams.engine.claims import EXIT_CLAIM_LOST, EXIT_SUPERSEDED
from headgate.streams.topics import (
    ACQUIRER_REQUESTS,
    PAYMENT_COMMANDS,
    PAYMENT_FACTS,
    Topic,
)
from tests.system.harness_place import Place, until

READS: dict[str, Topic] = {
    "settle": PAYMENT_COMMANDS,
    "acquire": ACQUIRER_REQUESTS,
    "notify": PAYMENT_FACTS,
}
"""The topic by whose claims a role's work is seen."""
READY_WITHIN_S = 60.0
ENDS_WITHIN_S = 20.0


@dataclass
class Child:
    """One worker process."""

    slot: int
    process: asyncio.subprocess.Process
    asked_to_end: bool = False

    def send(self, what: signal.Signals) -> None:
        """Signal it; KILL and TERM mean that its end is wanted."""
        self.asked_to_end |= what in (signal.SIGKILL, signal.SIGTERM)
        process.send(self.process.pid, what)

    async def ended(self, within_s: float = ENDS_WITHIN_S) -> int:
        """Its exit code, when it ends within the time."""
        return await asyncio.wait_for(self.process.wait(), within_s)


@dataclass
class Workers:
    """The workers of one role in one namespace. 75 starts again at once, 76 leaves, and whatever
    nobody asked for starts again and is a failure of the test (`surprises`)."""

    place: Place
    role: str
    logs: Path
    newest: dict[int, Child] = field(default_factory=dict)
    exits: list[tuple[int, int]] = field(default_factory=list)
    surprises: list[tuple[int, int]] = field(default_factory=list)
    _minding: set[asyncio.Task[None]] = field(default_factory=set)
    _stopping: bool = False

    async def start(self, slot: int, **environment: str) -> Child:
        """Start a process in a slot; it becomes the slot's newest."""
        log = self.logs / f"{self.place.settings.namespace}-{self.role}-{slot}.log"
        running = await process.start(
            [sys.executable, "-m", "headgate", "worker", self.role],
            log,
            environment={
                **self.place.environment,
                "HEADGATE_INSTANCE_SLOT": str(slot),
                **environment,
            },
        )
        child = self.newest[slot] = Child(slot, running)
        task = asyncio.create_task(self._mind(child))
        self._minding.add(task)
        task.add_done_callback(self._minding.discard)
        return child

    async def _mind(self, child: Child) -> None:
        code = await child.process.wait()
        if self._stopping:
            return
        self.exits.append((child.slot, code))
        if code == EXIT_CLAIM_LOST:
            await self.start(child.slot)
        elif code != EXIT_SUPERSEDED and not child.asked_to_end:
            self.surprises.append((child.slot, code))
            await self.start(child.slot)

    async def owners(self) -> set[str]:
        """The processes that hold the role's claims now, as instance id and incarnation."""
        return set((await self.place.owners(READS[self.role].name)).values())

    async def until_owned(self, by: Callable[[set[str]], bool], what: str) -> None:
        """Wait until all partitions are claimed and their owners are as asked."""
        partitions, topic = self.place.settings.partitions, READS[self.role].name

        async def owned() -> bool:
            owners = await self.place.owners(topic)
            return len(owners) == partitions and by(set(owners.values()))

        await until(owned, READY_WITHIN_S, f"{self.role} partitions owned by {what}{self.tails()}")

    async def until_both_work(self) -> None:
        """Wait until slots 0 and 1 both own partitions."""
        await self.until_owned(lambda owners: self._slots(owners) == {0, 1}, "both workers")

    async def until_only(self, slot: int) -> None:
        """Wait until one slot owns everything."""
        await self.until_owned(lambda owners: self._slots(owners) == {slot}, f"slot {slot} alone")

    def _slots(self, owners: set[str]) -> set[int]:
        return {int(owner.rpartition("#")[0].rpartition("/")[2]) for owner in owners}

    def tails(self) -> str:
        """The end of every log, for the message of a failed test."""
        logs = sorted(self.logs.glob(f"{self.place.settings.namespace}-{self.role}-*.log"))
        return "".join(
            f"\n--- {log.name}\n" + "\n".join(process.last_lines(log, 15)) for log in logs
        )

    def assert_no_surprise(self) -> None:
        """No process ended that nobody asked to."""
        assert not self.surprises, f"ended unasked (slot, code): {self.surprises}{self.tails()}"

    async def stop(self) -> None:
        """End all processes: politely those that listen, at once those that do not."""
        self._stopping = True
        for child in self.newest.values():
            child.send(signal.SIGCONT)
            child.send(signal.SIGTERM)
        minding = set(self._minding)
        if minding:
            await asyncio.wait(minding, timeout=ENDS_WITHIN_S)

    def kill(self) -> None:
        """End whatever is left."""
        for child in self.newest.values():
            if child.process.returncode is None:
                child.send(signal.SIGKILL)


@asynccontextmanager
async def two_workers(
    place: Place, role: str, logs: Path, **environment: str
) -> AsyncIterator[Workers]:
    """Two workers of a role that both own partitions; no process is left behind."""
    workers = Workers(place, role, logs)
    try:
        for slot in (0, 1):
            await workers.start(slot, **environment)
        await workers.until_both_work()
        yield workers
        await workers.stop()
    finally:
        workers.kill()
        await workers.stop()


async def kill(workers: Workers) -> None:
    """kill -9, and nobody comes back."""
    workers.newest[0].send(signal.SIGKILL)


async def kill_and_restart(workers: Workers) -> None:
    """kill -9, and the supervisor starts it again."""
    old = workers.newest[0]
    old.send(signal.SIGKILL)
    await old.ended()
    await workers.start(0)


async def zombie(workers: Workers) -> None:
    """SIGSTOP until the other one has taken everything over, then SIGCONT."""
    frozen = workers.newest[0]
    frozen.send(signal.SIGSTOP)
    await workers.until_only(1)
    frozen.send(signal.SIGCONT)


async def supersede(workers: Workers) -> None:
    """SIGSTOP, a successor under the same instance id, SIGCONT: the older one leaves with 76."""
    old = workers.newest[0]
    old.send(signal.SIGSTOP)
    await workers.start(0)
    own_id = workers.place.settings.instance_id(workers.role).rpartition("/")[0] + "/0#2"
    await workers.until_owned(lambda owners: own_id in owners, f"the successor {own_id}")
    old.send(signal.SIGCONT)
    code = await old.ended()
    assert code == EXIT_SUPERSEDED, f"the superseded worker ended with {code}{workers.tails()}"


async def roll(workers: Workers) -> None:
    """SIGTERM and a new start, one worker after the other."""
    for slot in (0, 1):
        old = workers.newest[slot]
        old.send(signal.SIGTERM)
        await old.ended()
        await workers.start(slot)
        await workers.until_both_work()


FAULTS: dict[str, Callable[[Workers], Awaitable[None]]] = {
    "kill": kill,
    "killrestart": kill_and_restart,
    "zombie": zombie,
    "superseded": supersede,
    "rolling": roll,
}
"""The five modes of the chaos tests, by name."""
