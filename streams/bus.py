"""The way onto the log: one typed, idempotent producer that outlives what brokers go through."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from typing import Self, TypeVar

from headgate.streams.connection import AWAY, Position, Reader, Record, Session
from headgate.streams.errors import LogUnavailable
from headgate.streams.settings import Settings

__all__ = ["Bus", "Position", "Record", "delays_s"]

log = logging.getLogger(__name__)

CONNECT_WAIT_S = 2.0
"""How long `start` waits for the broker before it goes on without it."""

T = TypeVar("T")


def delays_s(first_ms: int, longest_ms: int) -> Iterator[float]:
    """Seconds to wait before each further try: `first_ms`, doubled up to `longest_ms`, no end."""
    delay_ms = first_ms
    while True:
        yield delay_ms / 1000
        delay_ms = min(delay_ms * 2, longest_ms)


class Bus:
    """Publishes records and waits for their acks (`acks=all`, idempotent, no linger).

    A failed or timed out publish may still reach the log, once or more than once: whoever reads a
    topic drops repeats by their id. Per partition, records of one call stay in order.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        timeout_ms: int,
        client_id: str = "headgate",
        retry_backoff_ms: int = 100,
        retry_backoff_max_ms: int = 5000,
    ) -> None:
        self._bootstrap = bootstrap
        self._timeout_ms = timeout_ms
        self._client_id = client_id
        self._backoff_ms = (retry_backoff_ms, retry_backoff_max_ms)
        self._session: Session | None = None
        self._connected = asyncio.Event()
        self._retired: list[Session] = []
        self._reader = Reader(bootstrap, timeout_ms=timeout_ms, client_id=client_id)
        self._repairing: asyncio.Task[None] | None = None
        self._available = False
        self._stopped = False
        self._insisting: dict[object, float] = {}
        """When each `publish_until_acked` in flight began, the oldest first."""

    @classmethod
    def of(cls, settings: Settings, client_id: str) -> Self:
        """The bus that the settings describe."""
        return cls(
            settings.kafka,
            timeout_ms=settings.produce_timeout_ms,
            client_id=client_id,
            retry_backoff_ms=settings.retry_backoff_ms,
            retry_backoff_max_ms=settings.retry_backoff_max_ms,
        )

    @property
    def available(self) -> bool:
        """False from a failure until the broker has acked a record or answered a probe."""
        return self._available

    @property
    def overdue(self) -> bool:
        """Whether a `publish_until_acked` has waited longer than the timeout. So it does when a
        partition takes no acks (too few replicas) while the broker answers every probe."""
        began = next(iter(self._insisting.values()), None)
        return began is not None and time.monotonic() - began > self._timeout_ms / 1000

    async def start(self) -> None:
        """Connect in the background; a broker that is away is no error and not waited for long."""
        self._repair()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_WAIT_S):
                await self._connected.wait()

    async def stop(self) -> None:
        """Finish what is in flight, for a bounded time, and close every connection."""
        self._stopped, self._available = True, False
        if self._repairing is not None:
            self._repairing.cancel()
            await asyncio.wait({self._repairing})
        self._retire()
        await self._close_retired()
        await self._reader.close()

    async def publish(self, records: Sequence[Record]) -> list[Position]:
        """Append `records` and wait for all acks, `timeout_ms` at most; one position per record.

        Raises LogUnavailable when that failed (some records may be on the log all the same) and
        RecordTooLarge when it can never succeed.
        """
        return await self._within_timeout(self._deliver(records))

    async def publish_until_acked(self, records: Sequence[Record]) -> list[Position]:
        """The same, tried again for ever; may be cancelled at any time.

        While the broker is away the records stay queued in their producer, so that its sequence
        numbers keep them single and in order; only a failed producer makes us send them again.
        """
        me = object()
        self._insisting[me] = time.monotonic()
        try:
            return await self._retried(records)
        finally:
            del self._insisting[me]

    async def _retried(self, records: Sequence[Record]) -> list[Position]:
        for delay in delays_s(*self._backoff_ms):
            try:
                return await self._insist(records)
            except LogUnavailable as error:
                log.warning("publishing %s records again in %s s: %s", len(records), delay, error)
                await asyncio.sleep(delay)
        raise AssertionError("there is always another try")

    async def end_offset(self, topic: str, partition: int) -> int:
        """The offset after the last record. Raises LogUnavailable."""
        return (await self.end_offsets(topic, [partition]))[partition]

    async def end_offsets(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """The offset after the last record of each partition. Raises LogUnavailable."""
        return await self._asked(topic, self._reader.ends(topic, list(partitions)))

    async def since(self, topic: str, partitions: Iterable[int], at_ms: int) -> dict[int, int]:
        """Each partition's first record with a timestamp from `at_ms` on: everything below the
        offset is older. 0 when all that is kept is younger, the end when all is older.

        Raises LogUnavailable.
        """
        return await self._asked(topic, self._reader.since(topic, list(partitions), at_ms))

    async def _asked(self, topic: str, question: Awaitable[T]) -> T:
        try:
            return await self._within_timeout(question)
        except AWAY as error:
            self._unavailable(repr(error))
            raise LogUnavailable(f"the offsets of {topic} are not known: {error!r}") from error

    async def _within_timeout(self, work: Awaitable[T]) -> T:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                return await work
        except TimeoutError:
            self._nothing_since(began)
            raise LogUnavailable(f"the log did not answer within {self._timeout_ms} ms") from None

    async def _deliver(self, records: Sequence[Record]) -> list[Position]:
        if not records:
            return []
        while (session := self._session) is None:
            await self._connected.wait()
        try:
            positions = await session.deliver(records)
        except LogUnavailable as error:
            self._unavailable(str(error))
            raise
        finally:
            if session.broken is not None and session is self._session:
                self._retire()
                self._repair()
        self._available = self._available or session is self._session
        return positions

    async def _insist(self, records: Sequence[Record]) -> list[Position]:
        delivery = asyncio.ensure_future(self._deliver(records))
        try:
            while not delivery.done():
                began = time.monotonic()
                await asyncio.wait({delivery}, timeout=self._timeout_ms / 1000)
                if not delivery.done():
                    self._nothing_since(began)
        finally:
            delivery.cancel()
        return delivery.result()

    def _nothing_since(self, began: float) -> None:
        """What began at `began` timed out: look after the broker, and after the producer."""
        session = self._session
        if session is not None and session.probed_at is not None and session.probed_at < began:
            log.warning("the broker answers, but this producer gets no acks: replacing it")
            self._retire()
        self._unavailable(f"no answer within {self._timeout_ms} ms")

    def _unavailable(self, reason: str) -> None:
        if self._available:
            log.warning("the log is not available: %s", reason)
        self._available = False
        self._repair()

    def _retire(self) -> None:
        if self._session is not None:
            self._retired.append(self._session)
        self._session = None
        self._connected.clear()

    def _repair(self) -> None:
        if not self._stopped and (self._repairing is None or self._repairing.done()):
            self._repairing = asyncio.create_task(self._reconnect(), name="bus-repair")

    async def _reconnect(self) -> None:
        """Connect, or ask the broker for an answer, until it works."""
        for delay in delays_s(*self._backoff_ms):
            try:
                async with asyncio.timeout(self._timeout_ms / 1000):
                    await (self._connect() if self._session is None else self._probe())
            except AWAY as error:
                log.info("the log is away, next try in %s s: %r", delay, error)
                await asyncio.sleep(delay)
                continue
            if self._session is not None:
                self._available = True
                return

    async def _connect(self) -> None:
        # The old producer goes first: nothing of it may land behind what the new one sends.
        await self._close_retired()
        session = Session(self._bootstrap, timeout_ms=self._timeout_ms, client_id=self._client_id)
        await session.open()
        self._session = session
        self._connected.set()

    async def _probe(self) -> None:
        session = self._session
        await self._reader.ping()
        if session is not None and session.probed_at is None:
            session.probed_at = time.monotonic()

    async def _close_retired(self) -> None:
        while self._retired:
            await self._retired[0].close()
            del self._retired[0]
