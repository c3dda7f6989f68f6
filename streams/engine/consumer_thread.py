"""The thread that Kafka's client lives in, and what Faust leaves undone there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from typing import Protocol, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service, get_logger

log = get_logger(__name__)

GROUP_LOOK_S = 0.2
"""How often we look whether the group's coordination has failed."""


class Waiting(Protocol):
    """A transport that says how long a fetch may wait for records."""

    fetch_wait_ms: int


class SafeThread(driver.AIOKafkaConsumerThread):
    """The thread that Kafka's client lives in. Its methods run there, by `call_thread`."""

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust has no setting for it and fixes 1.5 s.
        consumer._fetch_max_wait_ms = cast("Waiting", transport).fetch_wait_ms  # noqa: SLF001
        return consumer

    @Service.task
    async def _mind_the_group(self) -> None:
        """Let aiokafka go on after an error of the group's coordinator. It halts until somebody
        asks for the error, which Faust never does. Dead heartbeats cannot be brought back."""
        while not self.should_stop:
            await self.sleep(GROUP_LOOK_S)
            coordinator = self._ensure_consumer()._coordinator  # noqa: SLF001
            heartbeats = coordinator._heartbeat_task  # noqa: SLF001
            if heartbeats is not None and heartbeats.done() and not heartbeats.cancelled():
                await self._crash_of(heartbeats)
            try:
                coordinator.check_errors()
            except KafkaError as error:
                log.warning("the consumer group failed, joining again: %r", error)

    async def _crash_of(self, task: asyncio.Task[None]) -> None:
        error = task.exception()
        if error is not None:
            await self.crash(error)

    async def join_anew(self) -> None:
        """Join the group once more, as the member that we are."""
        self._ensure_consumer()._coordinator.request_rejoin()  # noqa: SLF001

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit what is still ours; whether that worked. The next one commits it otherwise: group
        commits are advisory (08 R4). Stock crashes the worker, even when a rebalance has just
        taken all of it, because aiokafka takes an empty commit for a mistake."""
        assigned = self.assignment()
        mine = {
            driver.ensure_aiokafka_TP(tp): OffsetAndMetadata(offset, "")
            for tp, offset in offsets.items()
            if tp in assigned
        }
        if not mine:
            return False
        try:
            await self._ensure_consumer().commit(mine)
        except KafkaError as error:
            log.warning("a commit failed, the next one makes up for it: %r", error)
            return False
        return True

    async def begin(self, targets: Iterable[TP], known: Mapping[TP, int]) -> dict[TP, int]:
        """Put each target at its known offset, else at the committed, else at the first one, and
        return where that is. Raises IllegalStateError when one is no longer assigned."""
        consumer = self._ensure_consumer()
        offsets = dict(known)
        unknown = [tp for tp in targets if tp not in known]
        committed = await asyncio.gather(*(consumer.committed(tp) for tp in unknown))
        offsets |= {
            tp: offset for tp, offset in zip(unknown, committed, strict=True) if offset is not None
        }
        # Without a commit aiokafka would go on from wherever its fetches have come to.
        if new := [tp for tp in unknown if tp not in offsets]:
            offsets |= await consumer.beginning_offsets(new)
        for tp, offset in offsets.items():
            consumer.seek(tp, offset)
        return offsets

    async def move(self, tp: TP, offset: int) -> None:
        """Go on at `offset`, unless the partition is not ours any more."""
        with contextlib.suppress(IllegalStateError):
            self.seek(tp, offset)
