"""The machine room's own things: one of each per process, closed with it."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.dashboard.dead_letters import Shelf
from headgate.dashboard.log_watch import LogWatch
from headgate.dashboard.rates import Rates
from headgate.streams.bus import Bus, Position, Record
from headgate.streams.log_reader import LogReader
from headgate.streams.settings import Settings

CLIENT = "dashboard"


class Sender:
    """Appends records that an operator sends again. Connects when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        # A person waits for it, no longer than a request to the edge waits for the log.
        self._bus = Bus(settings.kafka, timeout_ms=settings.log_wait_ms, client_id=CLIENT)
        self._started = False

    async def send(self, records: Sequence[Record]) -> list[Position]:
        """Append, and say where. Raises LogUnavailable (some may be on the log all the same) and
        RecordTooLarge."""
        if not self._started:
            self._started = True
            await self._bus.start()
        return await self._bus.publish(records)

    async def close(self) -> None:
        """Finish what is in flight, for a bounded time."""
        if self._started:
            await self._bus.stop()


class Machine:
    """What the screens of the machine room share."""

    def __init__(self, settings: Settings) -> None:
        self.reader = LogReader(settings)
        self.sender = Sender(settings)
        self.watch = LogWatch(settings, self.reader)
        self.shelf = Shelf(settings, self.reader)
        self.claimed = Rates()
        """How fast workers go on, by topic (its short name) and partition."""

    async def close(self) -> None:
        """Close every connection to Kafka."""
        await self.sender.close()
        await self.reader.close()
