"""What settle decided, read from PostgreSQL: many questions, one statement."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from headgate.streams.bus import Bus, Position
from headgate.streams.coalesce import Coalescer
from headgate.streams.errors import LogUnavailable, StoreUnavailable
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables.payments import Payment
from headgate.tables.postgres import Postgres, Row

POLL_MS = 12
"""How often PostgreSQL is asked again for what settle has not decided yet."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A command that settle has decided. `payment` is as it is now."""

    command_id: str
    merchant_id: str
    type: str
    payment_id: str
    fingerprint: str | None
    refusal: str | None
    position: str
    payment: Payment | None


class Decisions:
    """Looks up decisions, and waits for them. Every method raises StoreUnavailable."""

    def __init__(self, settings: Settings, postgres: Postgres, bus: Bus) -> None:
        self._postgres = postgres
        self._bus = bus
        self._topic = PAYMENT_COMMANDS.full_name(settings)
        self._partitions = settings.partitions
        self._commands: Coalescer[str, Decided | None] = Coalescer(
            self._read, batch_max=settings.handoff_batch_max
        )
        self._positions: Coalescer[int, int] = Coalescer(
            self._read_positions, batch_max=settings.handoff_batch_max
        )
        self._ends: Coalescer[int, int] = Coalescer(
            self._read_ends, batch_max=settings.handoff_batch_max
        )

    async def of(self, command_id: str, wait_ms: int) -> Decided | None:
        """What became of a command, None when that is not known yet."""
        async with _bounded(wait_ms):
            return await self._commands.submit(command_id)

    async def wait_for(self, command_id: str, wait_ms: int) -> Decided | None:
        """The same, waiting for it; None when the time was over first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_ms / 1000):
                return await self._decided_soon(command_id)
        return None

    async def _decided_soon(self, command_id: str) -> Decided:
        while True:
            found = await self._commands.submit(command_id)
            if found is not None:
                return found
            await asyncio.sleep(POLL_MS / 1000)

    async def caught_up(self, partitions: Iterable[int], wait_ms: int) -> bool:
        """Whether settle reached, within the time, what the log holds now. Raises LogUnavailable
        as well."""
        if not self._bus.available:
            raise LogUnavailable("the log is known to be away")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_ms / 1000):
                await self._reach(list(partitions))
                return True
        return False

    async def beyond(self, offsets: Mapping[int, int], wait_ms: int) -> bool:
        """Whether settle decided, within the time, everything up to these offsets by partition."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_ms / 1000):
                await self._until(list(offsets), [offset + 1 for offset in offsets.values()])
                return True
        return False

    async def settled(self) -> dict[int, int]:
        """The next offset to be decided of every partition that has one."""
        every = list(range(self._partitions))
        done = await asyncio.gather(*map(self._positions.submit, every))
        return {partition: at for partition, at in zip(every, done, strict=True) if at}

    async def _reach(self, partitions: Sequence[int]) -> None:
        """Wait until settle is where the log ends now."""
        await self._until(partitions, await asyncio.gather(*map(self._ends.submit, partitions)))

    async def _until(self, partitions: Sequence[int], ends: Sequence[int]) -> None:
        while True:
            done = await asyncio.gather(*map(self._positions.submit, partitions))
            if all(next_offset >= end for next_offset, end in zip(done, ends, strict=True)):
                return
            await asyncio.sleep(POLL_MS / 1000)

    async def backlog(self, partitions: int) -> int:
        """How many commands are on the log and not decided. Raises LogUnavailable as well."""
        every = list(range(partitions))
        ends = await self._bus.end_offsets(self._topic, every)
        done = await self._read_positions(every)
        return sum(max(0, ends[partition] - done[partition]) for partition in every)

    async def _read(self, command_ids: Sequence[str]) -> Sequence[Decided | None]:
        rows = await self._postgres.fetch("edge_decisions", list(set(command_ids)))
        found = {row["command_id"]: self._decided(row) for row in rows}
        return [found.get(command_id) for command_id in command_ids]

    def _decided(self, row: Row) -> Decided:
        record = row["record"]
        return Decided(
            command_id=row["command_id"],
            merchant_id=row["merchant_id"],
            type=row["type"],
            payment_id=row["payment_id"],
            fingerprint=row["fingerprint"],
            refusal=row["refusal"],
            position=str(Position(self._topic, row["partition"], row["offset"])),
            payment=Payment.model_validate_json(record) if record else None,
        )

    async def _read_positions(self, partitions: Sequence[int]) -> Sequence[int]:
        rows = await self._postgres.fetch("claimed", PAYMENT_COMMANDS.name, list(set(partitions)))
        found = {row["partition"]: row["next_offset"] for row in rows}
        return [found.get(partition, 0) for partition in partitions]

    async def _read_ends(self, partitions: Sequence[int]) -> Sequence[int]:
        ends = await self._bus.end_offsets(self._topic, set(partitions))
        return [ends[partition] for partition in partitions]


@contextlib.asynccontextmanager
async def _bounded(wait_ms: int) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(wait_ms / 1000):
            yield
    except TimeoutError:
        raise StoreUnavailable(f"PostgreSQL did not answer within {wait_ms} ms") from None
