"""The delay pump from the start of its consumer to its first error.

Faust's consumer and its way to acknowledge are both wrong for waiting (04 §8), so the pump has a
consumer of its own, with the client's native pause. Hand off, acknowledged, then commit: a crash
anywhere repeats records and loses none; whoever reads the targets drops repeats by their ids.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError

from headgate.agents.delay_consumer import Listener, create_consumer, record_of, starts_of
from headgate.agents.delay_window import Parked, Window, opened
from headgate.streams.bus import Bus, Record
from headgate.streams.clock import now_ms
from headgate.streams.codec import dead_letter
from headgate.streams.delays import delayed, look_at_ms
from headgate.streams.errors import CannotDecode, HeadgateError, Unavailable
from headgate.streams.settings import Settings
from headgate.streams.topics import SOURCES, TIERS, WEBHOOKS_READY

log = structlog.get_logger(__name__)

POLL_MS = 200
"""Longest wait for records: the client's own loop must turn to stay in the group."""
REREADS_MAX = 3
"""So many times is a hole in the offsets read again before the log itself is taken to have it."""

Confirm = Callable[[], Awaitable[None]]
"""Registers this process under its instance id, or ends it when a newer one has the id (08 R7).
Raises Unavailable, and is then called again."""


class NotOurs(HeadgateError):
    """The group may have given our partitions away; start again and ask it."""


@dataclass(slots=True)
class Counts:
    """What the pump has done since it was made."""

    forwarded: int = 0
    """Records that reached their target."""
    moved: int = 0
    """Records that went on to a nearer tier."""
    dead: int = 0
    """Records that went to the dead letters."""
    turned_at_ms: int = field(default_factory=now_ms)
    """When the reading loop last turned: a watchdog's sign of life."""


class PumpSession:
    """One consumer, the windows of what it was assigned, and the two loops around them."""

    def __init__(self, settings: Settings, bus: Bus, counts: Counts, confirm: Confirm) -> None:
        self._settings = settings
        self._bus = bus
        self._counts = counts
        self._confirm = confirm
        self._tiers = {tier.topic.full_name(settings): tier for tier in TIERS}
        self._targets = frozenset(topic.full_name(settings) for topic in SOURCES)
        self._open = False
        """Whether records may be handed off: not while partitions are taken away."""
        self._wake = asyncio.Event()
        self._assigned = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.windows: dict[TopicPartition, Window] = {}

    async def run(self) -> None:
        """Pump until something fails, and raise that."""
        consumer = create_consumer(self._settings)
        try:
            consumer.subscribe(list(self._tiers), listener=Listener(self))
            await consumer.start()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(consumer))
                group.create_task(self._forward(consumer))
                group.create_task(self._confirm_assignments())
        finally:
            self._open = False
            self.windows = {}
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(self._settings.revoke_wait_ms / 1000):
                    await consumer.stop()

    def assign(self, assigned: Iterable[TopicPartition]) -> None:
        """Begin anew with these partitions."""
        size = self._settings.delay_window_max
        self.windows = {part: Window(self._tiers[part.topic], size) for part in assigned}
        self._open = True
        self._assigned.set()
        self._wake.set()

    async def revoke(self) -> None:
        """Let go of every partition; a hand-off in flight may finish first, for a bounded time."""
        self._open = False
        await self._until_idle()
        self.windows = {}

    async def _until_idle(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.revoke_wait_ms / 1000):
                await self._idle.wait()

    async def _confirm_assignments(self) -> None:
        """PostgreSQL away does not hold up the pump: a second process under our id costs repeats
        until it is found, and nothing else."""
        while True:
            await self._assigned.wait()
            # Before the question: an assignment during it needs another one.
            self._assigned.clear()
            try:
                await self._confirm()
            except Unavailable as error:
                log.warning("delay pump is unconfirmed", reason=str(error))
                self._assigned.set()
                await asyncio.sleep(self._settings.retry_backoff_max_ms / 1000)

    # Reading: from the log into the windows.

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            fetched = await consumer.getmany(
                timeout_ms=POLL_MS, max_records=self._settings.delay_window_max
            )
            self._counts.turned_at_ms = now_ms()
            await self._find_starts(consumer)
            for partition, messages in fetched.items():
                self._take(consumer, partition, messages)
            if fetched:
                self._wake.set()

    async def _find_starts(self, consumer: AIOKafkaConsumer) -> None:
        windows = self.windows
        new = [part for part, window in windows.items() if window.next_offset is None]
        if new:
            for partition, (offset, note) in (await starts_of(consumer, new)).items():
                windows[partition].start(offset, note)

    def _take(
        self, consumer: AIOKafkaConsumer, partition: TopicPartition, messages: list[ConsumerRecord]
    ) -> None:
        """Take in what the client handed out, without holes; it may come from an assignment that
        is over, and then begins elsewhere than the group stands."""
        window = self.windows.get(partition)
        if window is None or window.next_offset is None:
            return
        for message in messages:
            if message.offset < window.next_offset:
                continue
            if message.offset > window.next_offset and not _hole_is_real(window, message):
                consumer.seek(partition, window.next_offset)
                break
            window.rereads = 0
            if not window.skip(message.offset):
                window.take(self._parked(window, message))
        if window.full:
            consumer.pause(partition)

    def _parked(self, window: Window, message: ConsumerRecord) -> Parked:
        record, at_ms = record_of(message), now_ms()
        try:
            onward, not_before_ms = opened(record, self._targets)
        except CannotDecode as error:
            reason = str(error)
            log.warning("delay without target", topic=message.topic, offset=message.offset)
            dead = dead_letter(WEBHOOKS_READY, self._settings, record, message.offset, reason)
            return Parked(at_ms, message.offset, 0, dead)
        due_ms = look_at_ms(window.tier, not_before_ms, message.timestamp, at_ms)
        return Parked(due_ms, message.offset, not_before_ms, onward)

    # Forwarding: from the windows to the targets.

    async def _forward(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            await self._until_due()
            due = self._due()
            if not due:
                continue
            self._idle.clear()
            try:
                await self._hand_off(due)
                await self._commit(consumer)
            finally:
                self._idle.set()
            self._resume(consumer)

    async def _until_due(self) -> None:
        """Raises NotOurs when this process slept so long that the group went on without it: what
        its windows hold, others have handed off."""
        began, wait_ms = time.monotonic(), self._wait_ms()
        if wait_ms:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_ms / 1000):
                    await self._wake.wait()
        if time.monotonic() - began > self._settings.session_timeout_ms / 2000:
            raise NotOurs("the pump was stopped in mid-work")
        self._wake.clear()

    def _wait_ms(self) -> int:
        """How long nothing is due, as far as is known."""
        heads = [window.waiting[0].due_ms for window in self.windows.values() if window.waiting]
        if not heads or not self._open:
            return POLL_MS
        return max(0, min(POLL_MS, min(heads) - now_ms()))

    def _due(self) -> list[tuple[Window, Parked]]:
        if not self._open:
            return []
        at_ms = now_ms()
        return [
            (window, parked) for window in self.windows.values() for parked in window.due(at_ms)
        ]

    async def _hand_off(self, due: list[tuple[Window, Parked]]) -> None:
        """Publish what is due, acknowledged; the broker away holds it up here, single and in
        order, while the reading loop keeps this process in its group."""
        at_ms = now_ms()
        outputs = [
            delayed(parked.record, parked.not_before_ms, at_ms, self._settings) for _, parked in due
        ]
        try:
            await self._bus.publish_until_acked(outputs)
        except BaseException:
            for window, parked in due:
                window.put_back(parked)
            raise
        for (window, parked), output in zip(due, outputs, strict=True):
            window.finish(parked.offset)
            self._count(output)

    def _count(self, output: Record) -> None:
        if output.topic in self._targets:
            self._counts.forwarded += 1
        elif output.topic in self._tiers:
            self._counts.moved += 1
        else:
            self._counts.dead += 1

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        """Commit how far the windows have come. A broker that is away costs repeats, and the
        next commit says it all again. Raises CommitFailedError when the group has thrown us out."""
        grown = {part: window for part, window in self.windows.items() if window.unsaved}
        if not grown:
            return
        for window in grown.values():
            window.unsaved = False
        try:
            async with asyncio.timeout(self._settings.session_timeout_ms / 1000):
                await consumer.commit({part: window.commit() for part, window in grown.items()})
        except CommitFailedError:
            raise
        except (KafkaError, TimeoutError) as error:
            log.info("delay commit failed", reason=repr(error))
            for window in grown.values():
                window.unsaved = True

    def _resume(self, consumer: AIOKafkaConsumer) -> None:
        for partition in consumer.paused():
            window = self.windows.get(partition)
            if window is not None and window.roomy:
                consumer.resume(partition)


def _hole_is_real(window: Window, message: ConsumerRecord) -> bool:
    """Whether records are missing on the log itself, and not only lost on their way to us."""
    window.rereads += 1
    if window.rereads <= REREADS_MAX:
        return False
    log.error(
        "delayed records are gone from the log",
        topic=message.topic,
        partition=message.partition,
        expected=window.next_offset,
        seen=message.offset,
    )
    window.next_offset = message.offset
    return True
