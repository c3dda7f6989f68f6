"""A Faust consumer that loses nothing: it delivers without holes and commits what is acknowledged.

Stock Faust 0.15.3 commits past records that failed, that were cancelled, that were dropped in a
rebalance, or that nobody has seen (03 §2.1 L1 to L7, §11.2 hole 4). Here a partition has a ledger
from the moment its position is known, only explicit acknowledgements count, and every jump in its
offsets is read again unless retention removed the records.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT, Message
from faust.types.transports import ConsumerT, TPorTopicSet
from mode import ServiceT, get_logger
from yarl import URL

from headgate.streams.engine.bundle import RECORDS_MAX, Bundle
from headgate.streams.engine.consumer_thread import SafeThread
from headgate.streams.engine.ledger import Ledger

log = get_logger(__name__)

TURN_RECORDS_MAX = 100
"""Records that are delivered before other tasks get a turn."""
ROOM_WAIT_S = 1.0
"""How long the fetch loop sleeps at most while every partition is full or paused."""
REREAD_WAIT_S = 0.1
"""Pause before a hole is read again that reading again did not close."""
STOP_COMMIT_WAIT_S = 1.0
"""How long a stopping consumer tries to commit; what it does not commit is read again."""


class SafeConsumer(driver.Consumer):
    """Faust's consumer with a ledger per partition that it reads for an agent."""

    _thread: SafeThread

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._ledgers: dict[TP, Ledger] = {}
        self._reread: dict[TP, int] = {}
        self._room = asyncio.Event()
        self.bundled: set[str] = getattr(self.app, "bundled", set())
        """Topics whose agents take bundles."""
        self.acknowledged = 0
        """Records acknowledged since the start."""

    def _new_consumer_thread(self) -> SafeThread:
        return SafeThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def unacknowledged(self) -> int:
        """Records that were delivered and are not acknowledged yet."""
        return sum(ledger.unacknowledged for ledger in self._ledgers.values())

    @property
    def member_id(self) -> str:
        """Our name in the consumer group, empty when we are no member."""
        client = self._thread._consumer  # noqa: SLF001 - Faust has no public way to its client
        return client._coordinator.member_id if client is not None else ""  # noqa: SLF001

    def sources(self) -> set[TP]:
        """The partitions that the group has given us to work on (changelogs are not among them)."""
        return {tp for tp in self.assignment() if self.app.topics.acks_enabled_for(tp.topic)}

    # Where reading stands

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what was delivered: Faust empties its queues now."""
        self._ledgers.clear()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Begin afresh; where, tell `seek` and `perform_seek`."""
        self._ledgers.clear()
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Faust calls this when an assignment is complete and its tables are recovered. What cannot
        be positioned now is positioned when its first record comes."""
        try:
            await self._begin(self.sources())
        except KafkaError as error:
            log.warning("positions are not known yet: %r", error)

    async def _begin(self, targets: set[TP]) -> None:
        """Set positions. Where an agent has already asked for one by `seek`, that one stays."""
        known = {tp: ledger.next for tp, ledger in self._ledgers.items() if tp in targets}
        begun = await self._thread.call_thread(self._thread.begin, targets, known)
        for tp, offset in begun.items():
            if tp not in self._ledgers:
                self._ledgers[tp] = Ledger(offset)

    async def seek(self, partition: TP, offset: int) -> None:
        """Deliver from `offset` on. Does nothing when the partition is not ours any more."""
        if ledger := self._ledgers.get(partition):
            ledger.rewind(offset)
        else:
            self._ledgers[partition] = Ledger(offset)
        # In its own thread: Kafka's client is not safe to touch from another.
        await self._thread.call_thread(self._thread.move, partition, offset)

    # Delivery

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                # Not inside the next call: a rebalance may come and go while the flow is shut, and
                # what is fetched after it belongs to the new assignment.
                if not self.flow_active:
                    await self.wait_first(self.can_resume_flow.wait())
                generation = self.app.consumer_generation_id
                records, _ = await self._wait_next_records(timeout=1.0)
                await self._deliver(records or {}, generation)
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _wait_next_records(
        self,
        timeout: float,  # noqa: ASYNC109 - Faust's signature
    ) -> tuple[Any, set[TP] | None]:
        if self.flow_active and not self._active_partitions:
            # Stock sleeps a whole second here, even when the next batch makes room at once.
            self._room.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), ROOM_WAIT_S)
            return {}, set()
        return await super()._wait_next_records(timeout)

    async def _deliver(self, records: Mapping[TP, list[Any]], generation: int) -> None:
        """Hand records to the streams until a rebalance begins: those of bundled topics many at
        once, the others one by one, partitions taking turns."""
        bundled = [(tp, batch) for tp, batch in records.items() if tp.topic in self.bundled]
        for topic in dict.fromkeys(tp.topic for tp, _ in bundled):
            waiting = [
                (tp, record) for tp, batch in bundled if tp.topic == topic for record in batch
            ]
            for start in range(0, len(waiting), RECORDS_MAX):
                await self._deliver_bundle(waiting[start : start + RECORDS_MAX], generation)
                await asyncio.sleep(0)
        single = {tp: batch for tp, batch in records.items() if tp.topic not in self.bundled}
        if single:
            await self._deliver_each(single, generation)

    async def _deliver_bundle(self, waiting: Sequence[tuple[TP, Any]], generation: int) -> None:
        """Hand records of one topic over as one. Nothing awaits from the look at the flow to the
        hand-over: it could wait through a rebalance."""
        if not self.flow_active or self.app.consumer_generation_id != generation:
            return
        taken: list[Message] = []
        holes: dict[TP, int] = {}
        for tp, record in waiting:
            ledger = self._ledgers.get(tp)
            if tp in holes or not self.is_fetched(tp):
                continue
            if ledger is None or record.offset > ledger.next:
                holes[tp] = record.offset
            elif record.offset == ledger.next:
                message = cast("Message", self._to_message(tp, record))
                ledger.deliver(record.offset, message)
                taken.append(message)
        if taken:
            await self.callback(Bundle(taken))
        for tp, offset in holes.items():
            await self._close_hole(tp, self._ledgers.get(tp), offset)

    async def _deliver_each(self, records: Mapping[TP, list[Any]], generation: int) -> None:
        """Hand records over one by one, partitions taking turns."""
        dropped: set[TP] = set()
        for count, (tp, record) in enumerate(self.scheduler.iterate(records), start=1):
            if count % TURN_RECORDS_MAX == 0:
                await asyncio.sleep(0)
            if tp in dropped or not self.is_fetched(tp):
                continue
            ledger: Ledger | None = None
            if self.app.topics.acks_enabled_for(tp.topic):
                ledger = self._ledgers.get(tp)
                if ledger is None or record.offset > ledger.next:
                    await self._close_hole(tp, ledger, record.offset)
                    dropped.add(tp)
                    continue
                if record.offset < ledger.next:
                    continue
            # Nothing awaits between this look and the hand-over: it could wait through a rebalance.
            if not self.flow_active:
                return
            if ledger is not None and self.app.consumer_generation_id != generation:
                continue
            # A changelog has no ledger that would read it again: recovery would wait for what is
            # dropped for ever, while a stale copy is a stale cache entry that 08 R1 catches.
            message = self._to_message(tp, record)
            if ledger is not None:
                ledger.deliver(record.offset, message)
            await self.callback(cast(Message, message))

    def is_fetched(self, tp: TP) -> bool:
        """Whether records of the partition are wanted now, or will be when there is room."""
        return tp in self._active_partitions or tp in self._buffered_partitions

    async def _close_hole(self, tp: TP, ledger: Ledger | None, offset: int) -> None:
        """Records are missing before `offset`: read them again. Source topics have no gaps, since
        they have no transactions and no compaction; only what retention removed is really gone."""
        start = None
        with contextlib.suppress(KafkaError):  # then the next record shows the hole again
            if ledger is None:
                await self._begin({tp})
                return
            start = (await self.earliest_offsets(tp))[tp]
        if ledger is None:
            return
        if start is not None and start > ledger.next:
            log.error("retention removed unread offsets %s to %s of %s", ledger.next, start - 1, tp)
            await self.seek(tp, start)
            return
        log.warning("%s jumped from %s to %s: reading again", tp, ledger.next, offset)
        if self._reread.get(tp) == ledger.next:
            await asyncio.sleep(REREAD_WAIT_S)  # it did not help: do not try in a tight loop
        self._reread[tp] = ledger.next
        await self.seek(tp, ledger.next)

    def on_buffer_drop(self, tp: TP) -> None:
        """Fetch again, but not what is paused: stock would wake it in the midst of a recovery."""
        if tp in self._paused_partitions:
            self._buffered_partitions.discard(tp)
        else:
            super().on_buffer_drop(tp)
            self._room.set()

    def pause_partitions(self, tps: Iterable[TP]) -> None:
        """Stop fetching, including what has been fetched and is over the buffer's limit."""
        paused = set(tps)
        super().pause_partitions(paused)
        self._buffered_partitions -= paused

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Fetch again, at once."""
        super().resume_partitions(tps)
        self._room.set()

    # Acknowledging and committing

    def ack(self, message: Message) -> bool:
        """Note that the work on `message` is done. Acks that Faust's streams give by themselves
        do not come here and do not count (L1, L7: they mean only that iteration went on)."""
        message.acked = True
        self._unacked_messages.discard(message)
        ledger = self._ledgers.get(message.tp)
        if ledger is None or not ledger.acknowledge(message.offset, message):
            return False
        self.acknowledged += 1
        return True

    def _filter_tps_with_pending_acks(self, topics: TPorTopicSet | None = None) -> Iterator[TP]:
        return (tp for tp in self._ledgers if topics is None or tp in topics or tp.topic in topics)

    async def _commit_tps(self, tps: Iterable[TP], start_new_transaction: bool) -> bool:
        """Commit each partition's acknowledged run. A commit that failed is tried again with the
        next one; stock remembers it as done and falls silent (03 §2.2)."""
        del start_new_transaction
        ledgers = {tp: self._ledgers[tp] for tp in tps}
        owned = self.assignment()
        offsets = {
            tp: ledger.committable()
            for tp, ledger in ledgers.items()
            if tp in owned and ledger.committable() != ledger.saved
        }
        if not offsets or not await self._commit(offsets):
            return False
        for tp, offset in offsets.items():
            ledgers[tp].saved = offset
        self.app.monitor.on_tp_commit(offsets)
        return True

    async def on_stop(self) -> None:
        """Commit what is done; do not wait for what is not, nor long for a broker."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_COMMIT_WAIT_S):
                await self.maybe_wait_for_commit_to_finish()  # or ours would leave it at that
                await self.commit()

    async def verify_all_partitions_active(self) -> None:
        """Nothing: Faust's detector gives false alarms, and the watchdog looks after progress."""


class SafeTransport(driver.Transport):
    """Faust's aiokafka transport with our consumer."""

    Consumer = cast(type[ConsumerT], SafeConsumer)

    def __init__(self, url: list[URL], app: AppT, *, fetch_wait_ms: int) -> None:
        super().__init__(url, app)
        self.fetch_wait_ms = fetch_wait_ms
