"""Faust as we use it: every setting pinned, our transport, a bounded stop, a watchdog (03 §4)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable
from typing import NoReturn, cast

import faust
import uvloop
from faust.exceptions import ConsumerNotStarted
from faust.tables.manager import TableManager
from faust.types import TopicT
from faust.types.transports import TransportT
from mode import CrashingSupervisor

from headgate.streams.bus import delays_s
from headgate.streams.connection import Reader
from headgate.streams.engine.consumer import SafeConsumer, SafeTransport
from headgate.streams.engine.watchdog import PING_TIMEOUT_MS, Observation, Watchdog, answers
from headgate.streams.settings import Settings

log = logging.getLogger(__name__)

FETCH_BYTES_MAX = 4 << 20
"""Most bytes of one partition in one fetch."""
POLL_INTERVAL_S = 7200.0
"""How long a worker whose buffers are full may not ask for records and still stays a member."""


class PromptTables(TableManager):
    """Stock sleeps a second at every start, for tables that somebody declares late. Ours are
    declared, and a restarted worker has payments waiting (07 G12)."""

    async def on_start(self) -> None:
        """Begin to recover tables, at once."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()


class WorkerApp(faust.App):
    """A Faust app on `SafeTransport`. Made by `create_app`, run by `run`."""

    settings: Settings
    role: str
    bundled: set[str]
    """Full names of topics whose agents take bundles of records."""
    waiting_for: Callable[[], str | None]
    """Set by whoever retries work in place: names what it waits for, None when nothing is away.
    While it names something the watchdog keeps quiet."""

    def _new_transport(self) -> TransportT:
        return cast(
            TransportT,
            SafeTransport(
                self.conf.broker_consumer, self, fetch_wait_ms=self.settings.fetch_wait_ms
            ),
        )

    def _create_directories(self) -> None:
        """Create none: tables are in memory."""

    def observe(self) -> Observation:
        """How the worker is, for the watchdog."""
        waiting_for = self.waiting_for()
        try:
            consumer = cast(SafeConsumer, self.consumer)
            sources = consumer.sources()
            member_id = consumer.member_id
        except ConsumerNotStarted:
            return Observation("", None, 0, 0, 0, 0, waiting_for)
        return Observation(
            member_id=member_id,
            assigned=None if self.rebalancing else len(sources),
            fetching=sum(consumer.is_fetched(tp) for tp in sources),
            unacknowledged=consumer.unacknowledged,
            acknowledged=consumer.acknowledged,
            recovering=cast(TableManager, self.tables).recovery.active_remaining_total(),
            waiting_for=waiting_for,
        )

    def all_tasks(self) -> set[asyncio.Task[object]]:
        """The tasks of this process, those of the consumer's own thread among them."""
        found = asyncio.all_tasks()
        with contextlib.suppress(ConsumerNotStarted):
            thread = cast(SafeConsumer, self.consumer)._thread  # noqa: SLF001
            found |= asyncio.all_tasks(thread.thread_loop)
        return found


def create_app(role: str, settings: Settings) -> WorkerApp:
    """The Faust app of a role. If it gets a table, the changelog's partitions go to the worker
    that has the same partitions of its source."""
    member = settings.instance_id(role)
    app = WorkerApp(
        settings.group(role),
        broker=[f"kafka://{server.strip()}" for server in settings.kafka.split(",")],
        store="memory://",
        TableManager=PromptTables,
        autodiscover=False,
        datadir=settings.state_dir / "faust",
        web_enabled=False,
        worker_redirect_stdouts=False,
        cython_optimizations=True,
        # An error that nobody foresaw ends the process; its record is read again (L1, L2).
        agent_supervisor=CrashingSupervisor,
        # A stop cancels what is in flight; it is read again (L7, L8).
        stream_wait_empty=False,
        stream_buffer_maxsize=settings.buffer_records_max,
        broker_client_id=member,
        broker_commit_interval=settings.commit_interval_ms / 1000,
        broker_session_timeout=settings.session_timeout_ms / 1000,
        broker_heartbeat_interval=settings.session_timeout_ms / 4000,
        broker_rebalance_timeout=settings.rebalance_timeout_ms / 1000,
        broker_request_timeout=settings.broker_timeout_ms / 1000,
        broker_max_poll_interval=POLL_INTERVAL_S,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES_MAX,
        # Nothing of ours leaves through Faust's producer, but Faust starts one.
        producer_acks=-1,
        producer_request_timeout=settings.produce_timeout_ms / 1000,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=settings.partitions,
        topic_replication_factor=settings.replication_factor,
        table_standby_replicas=0,
        consumer_group_instance_id=member if settings.static_membership else None,
    )
    app.settings, app.role, app.bundled, app.waiting_for = settings, role, set(), lambda: None
    return app


def raw_topic(app: faust.App, name: str, *, buffer_max: int | None = None) -> TopicT:
    """A topic of raw bytes: decoding is the agent's, so that a record that nobody can decode is a
    dead letter and not a lost one (L16). `buffer_max` bounds what waits in memory."""
    topic = app.topic(
        name,
        key_type=bytes,
        key_serializer="raw",
        value_type=bytes,
        value_serializer="raw",
        allow_empty=True,
    )
    if buffer_max is not None:
        cast(faust.Channel[bytes], topic).maxsize = buffer_max  # topic() ignores its `maxsize`
    return topic


class Runner(faust.Worker):
    """Runs one app. However Faust and aiokafka hang while they stop (L20), the process ends within
    the limit after a signal or a crash."""

    def __init__(self, app: WorkerApp, loop: asyncio.AbstractEventLoop) -> None:
        settings = app.settings
        watchdog = Watchdog(app.observe, settings.stall_timeout_s, settings.kafka, app.all_tasks)
        super().__init__(app, watchdog, quiet=True, override_logging=False, loop=loop)
        self.spinner = None
        self._limit_s = app.settings.stop_wait_ms / 1000

    def _schedule_shutdown(self, signal: signal.Signals) -> None:
        self._end_within_limit(0)
        super()._schedule_shutdown(signal)

    async def crash(self, reason: BaseException) -> None:
        """End, with 1, since an error was not foreseen."""
        log.critical("the worker crashed: %r", reason, exc_info=reason)
        self._end_within_limit(1)
        await super().crash(reason)

    def _end_within_limit(self, code: int) -> None:
        timer = threading.Timer(self._limit_s, give_up, (code, self._limit_s))
        timer.daemon = True
        timer.start()

    def _gather_all(self) -> None:
        # Stock waits here for up to a second for tasks that nobody will end, then for another one.
        left = asyncio.all_tasks(loop=self.loop)
        for task in left:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    async def _sentinel_task(self) -> None:
        """Not a second of sleep."""


def give_up(code: int, after_s: float) -> NoReturn:
    """End the process: nothing that was not acknowledged is lost."""
    log.warning("did not stop within %s s, ending at once", after_s)
    logging.shutdown()
    os._exit(code)


def run(app: faust.App) -> None:
    """Work until told to stop. Waits for Kafka as long as it takes to begin.

    The process ends with 0 after a signal, 75 when it stalled, 1 after an unforeseen error.
    """
    if not isinstance(app, WorkerApp):
        raise TypeError("run() takes what create_app() made")
    if not logging.getLogger().handlers:
        logging.basicConfig(level=app.settings.log_level.upper())
    if app.settings.log_level != "debug":
        for chatty in ("aiokafka", "faust", "mode"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(until_answered(app.settings))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    Runner(app, loop).execute_from_commandline()


async def until_answered(settings: Settings) -> None:
    """Wait until Kafka answers: Faust would end the process instead."""
    kafka = Reader(settings.kafka, timeout_ms=PING_TIMEOUT_MS, client_id="start")
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)
    for delay in delays_s(settings.retry_backoff_ms, settings.retry_backoff_max_ms):
        if await answers(kafka):
            break
        log.warning("Kafka at %s does not answer, asking again in %s s", settings.kafka, delay)
        await asyncio.sleep(delay)
    await kafka.close()
