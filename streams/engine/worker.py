"""A Faust worker of ours: an app whose agents only take in, and loops that do the work."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Mapping
from typing import Any, cast

import faust
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted
from faust.types import TP
from prometheus_client import CollectorRegistry

from headgate.streams.bus import Bus
from headgate.streams.engine.app import WorkerApp, raw_topic
from headgate.streams.engine.batch import BatchLoop, Handler
from headgate.streams.engine.bundle import unbundled
from headgate.streams.engine.claims import ClaimStore, Identity, Ownership
from headgate.streams.engine.consumer import SafeConsumer
from headgate.streams.engine.coverage import Assignment, Coverage, assignments
from headgate.streams.engine.each import EachHandler, EachLoop
from headgate.streams.engine.intake import Event, Intake
from headgate.streams.engine.metrics import Progress, WorkerCollector
from headgate.streams.engine.metrics_port import MetricsPort
from headgate.streams.errors import LogUnavailable
from headgate.streams.settings import Settings
from headgate.streams.topics import Topic

BUNDLES_MAX = 16
"""Bundles that wait before an intake; behind them the consumer stops fetching."""


class FaustSource:
    """One topic of a Faust app, as an Intake needs it."""

    def __init__(self, app: faust.App, full_name: str, timeout_ms: int) -> None:
        """`timeout_ms` is how long Kafka's client may take over a question."""
        self._app = app
        self._full_name = full_name
        self._patience_s = timeout_ms / 1000

    @property
    def generation(self) -> int:
        """The assignment in force."""
        return self._app.consumer_generation_id

    async def rewind(self, partition: int, offset: int) -> None:
        """Read the partition again from `offset`. Raises LogUnavailable when Kafka's client does
        not get to it: it does one thing after the other, and may be waiting for a broker."""
        target = TP(self._full_name, partition)
        try:
            async with asyncio.timeout(self._patience_s):
                await self._app.consumer.seek(target, offset)
        except TimeoutError as error:
            raise LogUnavailable(
                f"{target} is not read again yet: Kafka's client is busy"
            ) from error

    def log_end(self, partition: int) -> int | None:
        """The end of the partition as the last fetch told it."""
        return self._app.consumer.highwater(TP(self._full_name, partition))

    async def log_start(self, partition: int) -> int:
        """The first offset that retention has left. Raises LogUnavailable."""
        target = TP(self._full_name, partition)
        try:
            async with asyncio.timeout(self._patience_s):
                return (await self._app.consumer.earliest_offsets(target))[target]
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(f"the start of {target} is not known: {error!r}") from error


class Worker:
    """A role: its Faust app, what it owns, and its loops."""

    def __init__(
        self, role: str, settings: Settings, app: WorkerApp, store: ClaimStore, bus: Bus
    ) -> None:
        self.app = app
        self.bus = bus
        self._settings = settings
        self.registry = CollectorRegistry()
        """What it tells Prometheus; others may add to it."""
        self._names: dict[str, Topic] = {}
        self._sources: dict[str, FaustSource] = {}
        self._loops: dict[str, BatchLoop | EachLoop] = {}
        self.ownership = Ownership(
            Identity(settings.instance_id(role), role),
            store,
            log_ends=self._log_ends,
            commits=self._commits,
        )
        self.ownership.on_refused.append(self._hold)
        self._held: set[TP] = set()
        self._group = settings.group(role)
        app.waiting_for = lambda: self.waiting_for
        # Faust's stubs ask of a handler what no handler has: a positional signal.
        app.on_partitions_assigned.connect(cast("Any", self._assigned))
        app.on_partitions_revoked.connect(cast("Any", self._revoked))
        # A stop is a revoke too: the work in flight ends, its position is saved, and the next
        # owner tells nothing twice.
        app.on_before_shutdown.connect(cast("Any", self._stopping))
        self.registry.register(WorkerCollector(self))
        self.run_always(MetricsPort(settings, role, self.registry).run)
        self.run_always(bus.start)
        self.run_always(self._beat)
        self.run_always(Coverage(self._wanted, self._owned, self._assign_anew).run)

    def batch(self, topic: Topic, handler: Handler, *, every_ms: int | None = None) -> BatchLoop:
        """Work on the topic in micro-batches that begin at least `every_ms` apart."""
        intake = self._intake(topic)
        loop = BatchLoop(intake, self.ownership, handler, self._settings, every_ms)
        self._register(topic, loop)
        return loop

    def each(self, topic: Topic, handler: EachHandler, in_flight_max: int) -> EachLoop:
        """Work on the topic's records one by one, many at once."""
        intake = self._intake(topic)
        loop = EachLoop(intake, self.ownership, handler, self._settings, in_flight_max)
        self._register(topic, loop)
        return loop

    def owner_without_topics(self, role: str) -> Ownership:
        """An identity of its own for a part of this process that has no claims."""
        identity = Identity(self._settings.instance_id(role), role)
        return Ownership(
            identity, self.ownership.store, log_ends=self._log_ends, commits=self._commits
        )

    def run_always(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task for as long as the worker lives."""
        self.app.task(task)

    @property
    def waiting_for(self) -> str | None:
        """The dependency that work waits for, None when nothing is away."""
        if not self.bus.available:
            return "Kafka does not answer"
        if self.bus.overdue:
            return "Kafka does not acknowledge"
        loops = [loop.waiting_for for loop in self.ownership.loops]
        return next((reason for reason in loops if reason), self.ownership.problem or None)

    def progress(self) -> dict[str, Progress]:
        """How far it is, by topic."""
        return {
            topic: Progress(loop.done, len(self.ownership.of(topic)), self._behind(topic))
            for topic, loop in self._loops.items()
        }

    def _behind(self, topic: str) -> int:
        source = self._sources[topic]
        behind = 0
        for partition, claim in self.ownership.of(topic).items():
            # A partition may be on its way to another worker: then its end is not known.
            with contextlib.suppress(ConsumerNotStarted, AssertionError, KafkaError, KeyError):
                behind += max(0, (source.log_end(partition) or 0) - claim.next_offset)
        return behind

    def _intake(self, topic: Topic) -> Intake:
        full_name = topic.full_name(self._settings)
        self._names[full_name] = topic
        source = FaustSource(self.app, full_name, self._settings.produce_timeout_ms)
        self._sources[topic.name] = source
        return Intake(topic.name, source, self.ownership, self._settings.buffer_records_max)

    def _register(self, topic: Topic, loop: BatchLoop | EachLoop) -> None:
        full_name = topic.full_name(self._settings)

        async def feed(stream: faust.StreamT[bytes]) -> None:
            """Take in; the loop acknowledges, last (03 §5 R1)."""
            records = unbundled(cast("faust.Stream[bytes]", stream), self.app.consumer.ack)
            await loop.feed(cast("AsyncIterable[Event]", records))

        channel = raw_topic(self.app, full_name, buffer_max=BUNDLES_MAX)
        self.app.agent(channel, name=f"headgate.take_in.{topic.name}")(feed)
        self.app.bundled.add(full_name)
        self._loops[topic.name] = loop
        self.run_always(loop.run)

    async def _assigned(self, _app: object, assigned: Collection[TP], **_: object) -> None:
        self.ownership.assigned(
            (self._names[tp.topic].name, tp.partition) for tp in assigned if tp.topic in self._names
        )

    def _hold(self, refused: Collection[tuple[str, int]]) -> None:
        """Do not read what nobody may work on: it would fill the memory, and would have to be read
        again. Told at every try, since Faust resumes everything at the end of a rebalance."""
        held = {TP(self._full(topic), partition) for topic, partition in refused}
        if self._held - held:
            self.app.consumer.resume_partitions(self._held - held)
        if held:
            self.app.consumer.pause_partitions(held)
        self._held = held

    async def _revoked(self, _app: object, _revoked: Collection[TP], **_: object) -> None:
        self._held = set()  # Faust forgets them too
        await self.ownership.revoked(self._settings.revoke_wait_ms / 1000)

    async def _stopping(self, _app: object, **_: object) -> None:
        await self.ownership.revoked(self._settings.revoke_wait_ms / 1000)

    async def _beat(self) -> None:
        await self.ownership.beat(self._settings.heartbeat_interval_ms / 1000)

    def _wanted(self) -> Assignment:
        return {name: range(self._settings.partitions) for name in self._names}

    async def _owned(self) -> list[Assignment] | None:
        return await assignments(self._settings.kafka, self._group)

    async def _assign_anew(self) -> None:
        thread = cast(SafeConsumer, self.app.consumer)._thread  # noqa: SLF001
        await thread.call_thread(thread.join_anew)

    def _full(self, topic: str) -> str:
        return self._settings.prefix + topic

    async def _log_ends(self, topic: str, partitions: Collection[int]) -> Mapping[int, int]:
        return await self.bus.end_offsets(self._full(topic), partitions)

    async def _commits(self, topic: str, partitions: Collection[int]) -> Mapping[int, int]:
        """What the consumer group last committed; asked only when PostgreSQL knows nothing."""
        wanted = [TP(self._full(topic), partition) for partition in partitions]
        admin = AIOKafkaAdminClient(bootstrap_servers=self._settings.kafka)
        try:
            async with asyncio.timeout(self._settings.produce_timeout_ms / 1000):
                await admin.start()
                found = await admin.list_consumer_group_offsets(self._group, partitions=wanted)
        except (KafkaError, OSError, TimeoutError) as error:
            raise LogUnavailable(f"the commits of {self._group} are not known: {error}") from error
        finally:
            await admin.close()
        return {tp.partition: max(0, entry.offset) for tp, entry in found.items()}
