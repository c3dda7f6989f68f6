"""What settle decided, told by a reply or read from PostgreSQL: many questions, one statement."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

from headgate.http.cache import Cache
from headgate.http.decided import Decided, of_reply, of_row
from headgate.http.replies import Inbox
from headgate.streams.bus import Bus
from headgate.streams.coalesce import Coalescer
from headgate.streams.errors import CacheUnavailable, LogUnavailable, StoreUnavailable
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables.payments import Payment
from headgate.tables.postgres import Postgres
from headgate.tables.replies import decoded, reply_key

POLL_MS, POLL_MAX_MS = 12, 48
"""How often PostgreSQL is asked again for what settle has not decided yet, first and at last."""
REPLY_WAIT_MS = 40
"""How long the reply alone is waited for, before PostgreSQL is asked as well."""
CROWD_POLL_MS = 500
"""How often at last, when a reply is expected as well."""
AWAY_POLL_MS = 100
"""How often it is asked while it is away."""
FINAL_POLL_MS = 25
"""How often a payment is looked at again for its end."""


class Decisions:
    """Looks up decisions, and waits for them. Every method raises StoreUnavailable."""

    def __init__(
        self, settings: Settings, postgres: Postgres, bus: Bus, cache: Cache, inbox: Inbox
    ) -> None:
        self._postgres = postgres
        self._bus = bus
        self._cache = cache
        self._inbox = inbox
        self._topic = PAYMENT_COMMANDS.full_name(settings)
        self._partitions = settings.partitions
        most = settings.handoff_batch_max
        self._commands: Coalescer[str, Decided | None] = Coalescer(self._read, batch_max=most)
        self._keys: Coalescer[str, list[Decided]] = Coalescer(self._read_keys, batch_max=most)
        self._payments: Coalescer[str, Payment | None] = Coalescer(
            self._read_payments, batch_max=most
        )
        self._owners: Coalescer[str, tuple[str, str] | None] = Coalescer(
            self._read_owners, batch_max=most
        )
        self._positions: Coalescer[int, int] = Coalescer(self._read_positions, batch_max=most)
        self._ends: Coalescer[int, int] = Coalescer(self._read_ends, batch_max=most)

    async def of(self, command_id: str, wait_ms: int) -> Decided | None:
        """What became of a command, None when that is not known yet."""
        async with _bounded(wait_ms):
            return await self._commands.submit(command_id)

    async def uses_of(self, key_id: str, wait_ms: int) -> list[Decided]:
        """Every command that was decided under a key, the first one first."""
        async with _bounded(wait_ms):
            return await self._keys.submit(key_id)

    async def owner_of(self, payment_id: str, wait_ms: int) -> tuple[str, str] | None:
        """Merchant and mode of a payment, None when PostgreSQL does not have it."""
        async with _bounded(wait_ms):
            return await self._owners.submit(payment_id)

    def expecting(self, command_id: str) -> AbstractContextManager[None]:
        """Take the reply to a command in, for as long as the block runs; to be entered before the
        log may have the command."""
        return self._inbox.expecting(command_id)

    async def payment(self, payment_id: str, wait_ms: int) -> Payment | None:
        """A payment as it is now, None when PostgreSQL does not have it."""
        async with _bounded(wait_ms):
            return await self._payments.submit(payment_id)

    async def wait_for(self, command_id: str, wait_ms: int) -> Decided | None:
        """What became of a command, waiting for it; None when the time was over first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_ms / 1000):
                return await self._decided_soon(command_id)
        return None

    async def _decided_soon(self, command_id: str) -> Decided:
        """Told by the reply, else read from PostgreSQL, else fetched as the reply that was told."""
        pause_ms = REPLY_WAIT_MS if self._inbox.expects(command_id) else 0
        while True:
            reply = await self._inbox.reply(command_id, pause_ms / 1000)
            if reply is not None:
                return of_reply(reply, self._topic)
            # Where a reply is expected PostgreSQL is but the second way: a crowd that waits for a
            # settle worker that is behind must not keep it from its work.
            longest_ms = CROWD_POLL_MS if self._inbox.expects(command_id) else POLL_MAX_MS
            pause_ms = max(POLL_MS, min(2 * pause_ms, longest_ms))
            try:
                found = await self._commands.submit(command_id)
            except StoreUnavailable:
                found, pause_ms = await self._fetched(command_id), AWAY_POLL_MS
                if found is None and not self._inbox.expects(command_id):
                    raise
            if found is not None:
                return found

    async def _fetched(self, command_id: str) -> Decided | None:
        """The reply that Redis keeps for a while."""
        try:
            [raw] = await self._cache.values([reply_key(command_id)])
        except CacheUnavailable:
            return None
        return of_reply(decoded(raw), self._topic) if raw else None

    async def final(self, payment_id: str, wait_ms: int) -> Payment | None:
        """A payment that has come to its end or waits for its customer; None when it had not
        within the time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_ms / 1000):
                while True:
                    payment = await self._payments.submit(payment_id)
                    if payment is not None and _rests(payment):
                        return payment
                    await asyncio.sleep(FINAL_POLL_MS / 1000)
        return None

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
        found = {row["command_id"]: of_row(row, self._topic) for row in rows}
        return [found.get(command_id) for command_id in command_ids]

    async def _read_keys(self, key_ids: Sequence[str]) -> Sequence[list[Decided]]:
        found: dict[str, list[Decided]] = {key_id: [] for key_id in key_ids}
        for row in await self._postgres.fetch("edge_uses_of_key", list(found)):
            found[row["key_id"]].append(of_row(row, self._topic))
        return [found[key_id] for key_id in key_ids]

    async def _read_payments(self, payment_ids: Sequence[str]) -> Sequence[Payment | None]:
        rows = await self._postgres.fetch("records", list(set(payment_ids)))
        found = {row["id"]: Payment.model_validate_json(row["record"]) for row in rows}
        return [found.get(payment_id) for payment_id in payment_ids]

    async def _read_owners(self, payment_ids: Sequence[str]) -> Sequence[tuple[str, str] | None]:
        rows = await self._postgres.fetch("edge_owners", list(set(payment_ids)))
        found = {row["id"]: (row["merchant_id"], row["mode"]) for row in rows}
        return [found.get(payment_id) for payment_id in payment_ids]

    async def _read_positions(self, partitions: Sequence[int]) -> Sequence[int]:
        rows = await self._postgres.fetch("claimed", PAYMENT_COMMANDS.name, list(set(partitions)))
        found = {row["partition"]: row["next_offset"] for row in rows}
        return [found.get(partition, 0) for partition in partitions]

    async def _read_ends(self, partitions: Sequence[int]) -> Sequence[int]:
        ends = await self._bus.end_offsets(self._topic, set(partitions))
        return [ends[partition] for partition in partitions]


def _rests(payment: Payment) -> bool:
    return payment.status != "pending" or payment.state == "requires_action"


@contextlib.asynccontextmanager
async def _bounded(wait_ms: int) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(wait_ms / 1000):
            yield
    except TimeoutError:
        raise StoreUnavailable(f"PostgreSQL did not answer within {wait_ms} ms") from None
