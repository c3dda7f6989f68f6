"""Fails when a pinned package changes something that we override or rely on, and says what to do.

Private parts of Faust, mode and aiokafka are all that keeps stock Faust from losing records. Each
is held here by a hash of its source. When one differs: read the change, look at what is named,
run the stream tests and `make faults`, then write the new hash here (the failure shows it).
"""

from __future__ import annotations

import hashlib
import inspect
from importlib.metadata import version
from pathlib import Path
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator, MessageBatch
from aiokafka.producer.sender import Sender, SendProduceReqHandler
from faust.tables.base import Collection
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.tables.table import Table
from faust.transport import consumer as base
from faust.transport.conductor import Conductor
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import ConsumerMessage, Message
from mode.threads import QueueServiceThread, ServiceThread
from mode.worker import Worker

PINS = {"faust-streaming": "0.15.3", "aiokafka": "0.14.", "mode-streaming": "0.7."}

CONSUMER = "streams/engine/consumer.py"
THREAD = "streams/engine/consumer_thread.py"
BUS = "streams/connection.py"
TABLE = "streams/engine/table.py"
APP = "streams/engine/app.py"

HELD: list[tuple[Any, str, str]] = [
    # Delivery and commit: what SafeConsumer replaces, and what calls it.
    (base.Consumer._drain_messages, CONSUMER, "44a2500309e8"),
    (base.Consumer._wait_next_records, CONSUMER, "6218e1969a63"),
    (base.Consumer.getmany, CONSUMER, "4b168d84882a"),
    (base.Consumer.perform_seek, CONSUMER, "0e8c130ff4b0"),
    (base.Consumer.seek, CONSUMER, "b86a9fe05f95"),
    (base.Consumer.ack, CONSUMER, "5fcf41cf4515"),
    (base.Consumer.commit, CONSUMER, "a354437baaa0"),
    (base.Consumer.force_commit, CONSUMER, "cc094614d22c"),
    (base.Consumer._commit_tps, CONSUMER, "a20e230b05ae"),
    (base.Consumer._commit_offsets, CONSUMER, "1a6979904118"),
    (base.Consumer._filter_tps_with_pending_acks, CONSUMER, "f6f923977423"),
    (base.Consumer.on_stop, CONSUMER, "45b1d2210ce2"),
    (base.Consumer.on_partitions_revoked, CONSUMER, "d04b7ae72c6f"),
    (base.Consumer.on_partitions_assigned, CONSUMER, "29ce96596f05"),
    (base.Consumer.on_buffer_full, CONSUMER, "c8961679e0bc"),
    (base.Consumer.on_buffer_drop, CONSUMER, "4b57e8a418d5"),
    (base.Consumer.pause_partitions, CONSUMER, "27a1c94bdacd"),
    (base.Consumer.resume_partitions, CONSUMER, "afe6b7c02a41"),
    (base.Consumer.stop_flow, CONSUMER, "cf7e875a2b0d"),
    (base.Consumer.resume_flow, CONSUMER, "db59630f25b5"),
    (base.Consumer.verify_all_partitions_active, CONSUMER, "4e0e46f5c297"),
    (base.Consumer._commit_handler, CONSUMER, "4e5da5df0730"),
    (base.Fetcher, CONSUMER, "c922e4ab78d9"),
    (driver.Consumer._to_message, CONSUMER, "7c24f6511b2f"),
    (driver.Consumer.on_stop, CONSUMER, "173f86b366f3"),
    (driver.ConsumerRebalanceListener, CONSUMER, "f3d04f29dfb3"),
    (driver.AIOKafkaConsumerThread._create_worker_consumer, THREAD, "c2701bfc3e6f"),
    (driver.AIOKafkaConsumerThread._fetch_records, CONSUMER, "39a2c6c79fc1"),
    (driver.AIOKafkaConsumerThread._commit, CONSUMER, "932852ce7a23"),
    (driver.AIOKafkaConsumerThread.seek, THREAD, "1498560d05f0"),
    (driver.AIOKafkaConsumerThread.earliest_offsets, CONSUMER, "5d697cd76873"),
    (Message.ack, CONSUMER, "4751b72c4ed8"),
    (ConsumerMessage.on_final_ack, CONSUMER, "45d670b6a8ac"),
    (Conductor._compile_message_handler, CONSUMER, "9fbc0538097a"),
    (Conductor.acks_enabled_for, CONSUMER, "77ff8a731d30"),
    (QueueServiceThread.call_thread, THREAD, "479edda75b54"),
    (ServiceThread._start_thread, THREAD, "a06373478446"),
    (AIOKafkaConsumer.committed, THREAD, "d8706147ab15"),
    (AIOKafkaConsumer.seek, THREAD, "a9430f1f3b9a"),
    (Fetcher.fetched_records, THREAD, "be4348896b9b"),
    (Fetcher.seek_to, THREAD, "f0ba6aba6c22"),
    (GroupCoordinator.check_errors, THREAD, "ba6ca51ad348"),
    (GroupCoordinator._push_error_to_user, THREAD, "743ff515bd7e"),
    (GroupCoordinator._heartbeat_routine, THREAD, "61d010289522"),
    (GroupCoordinator.commit_offsets, CONSUMER, "5cbe31af28d6"),
    # The order of a rebalance.
    (faust.App._on_partitions_revoked, CONSUMER, "d5c895bbe57d"),
    (faust.App._on_partitions_assigned, CONSUMER, "de932b7927db"),
    (Recovery._resume_streams, CONSUMER, "d986a6710c1a"),
    (Recovery.on_recovery_completed, CONSUMER, "6ef567acf072"),
    # The table.
    (Collection.__init__, TABLE, "95568fc09c76"),
    (Collection.persisted_offset, TABLE, "d473d3ab3fd6"),
    (Collection.on_rebalance, TABLE, "0812ad692171"),
    (Collection.apply_changelog_batch, TABLE, "b980a78d3ae9"),
    (Collection.reset_state, TABLE, "68190a499a6f"),
    (Collection.send_changelog, TABLE, "3dd3884e1b5f"),
    (Table.on_key_set, TABLE, "a370e35ca55c"),
    (Table.on_key_del, TABLE, "4f2900b2f9d2"),
    (TableManager.add, TABLE, "4c5232ce6ba1"),
    (Recovery._slurp_changelogs, TABLE, "7825c7e50f76"),
    (Recovery._restart_recovery, TABLE, "6bd8a8558a2d"),
    (Recovery.on_rebalance, TABLE, "aa4d997a1795"),
    (Recovery._add, TABLE, "1584a197b11b"),
    (Recovery.flush_buffers, TABLE, "6fa9c17f1071"),
    # The app and how it stops.
    (faust.App._new_transport, APP, "42db531312dd"),
    (faust.App._create_directories, APP, "a9f571c3b04a"),
    (faust.App.topic, APP, "7b040db38d3b"),
    (faust.App.on_stop, APP, "bfe5a933defb"),
    (faust.App._stop_consumer, APP, "55854a5de12c"),
    (TableManager.on_start, APP, "365dd25fbc0e"),
    (Worker._schedule_shutdown, APP, "1a6a5dfc88c2"),
    (Worker.execute_from_commandline, APP, "212e98f635d7"),
    (Worker.stop_and_shutdown, APP, "bf1608cc3011"),
    (Worker._shutdown_loop, APP, "6ad3b1129015"),
    (Worker._gather_all, APP, "7e8d72ebf749"),
    (Worker._sentinel_task, APP, "6e66058cf3e1"),
    # The producer.
    (AIOKafkaProducer.stop, BUS, "43ef97147111"),
    (AIOKafkaProducer.send_batch, BUS, "bf42b0f0c5c0"),
    (AIOKafkaProducer.create_batch, BUS, "c4efda4bb7a0"),
    (AIOKafkaProducer.partitions_for, BUS, "0d526b6cfcfd"),
    (BatchBuilder, BUS, "8050802ca751"),
    (MessageBatch.done, BUS, "2d765e5c2dc8"),
    (MessageBatch.failure, BUS, "719b2122c318"),
    (MessageAccumulator.add_batch, BUS, "5ed1c5b1367a"),
    (MessageAccumulator._pop_batch, BUS, "41cc98a298ef"),
    (MessageAccumulator.drain_by_nodes, BUS, "fc995afbfc57"),
    (MessageAccumulator.fail_all, BUS, "f1e12e8100bf"),
    (Sender._sender_routine, BUS, "2380dc5e333d"),
    (Sender.close, BUS, "f60b3d023d25"),
    (SendProduceReqHandler.handle_response, BUS, "850323cc8f77"),
    (SendProduceReqHandler._can_retry, BUS, "7ff5d491d977"),
]


COMPILED = {
    "faust/_cython/streams.pyx": "0041622f4a25",
    "faust/transport/_cython/conductor.pyx": "dde1f9742678",
}
"""What Faust runs instead of its Python when it is compiled; the wheels carry the sources."""


def digest(part: Any) -> str:
    """The first twelve digits of the hash of a source."""
    source = inspect.getsource(getattr(part, "fun", part))
    return hashlib.sha256(source.encode()).hexdigest()[:12]


@pytest.mark.parametrize(("package", "pin"), PINS.items())
def test_the_versions_are_the_ones_that_were_read(package: str, pin: str) -> None:
    """08 R37."""
    assert version(package).startswith(pin)


@pytest.mark.parametrize(
    ("part", "ours", "known"),
    HELD,
    ids=[getattr(part, "__qualname__", str(part).partition(" at 0x")[0]) for part, *_ in HELD],
)
def test_what_we_override_or_rely_on_is_unchanged(part: Any, ours: str, known: str) -> None:
    now = digest(part)
    assert now == known, (
        f"{part.__module__}.{part.__qualname__} has changed ({known} -> {now}): "
        f"read the change, check {ours} against it, run the stream tests and `make faults`, "
        f"then write {now} here"
    )


@pytest.mark.parametrize(("source", "known"), COMPILED.items())
def test_the_compiled_parts_of_faust_are_unchanged(source: str, known: str) -> None:
    """03 §4: they acknowledge and deliver in their own way."""
    text = Path(faust.__file__).parent.parent.joinpath(source).read_bytes()
    now = hashlib.sha256(text).hexdigest()[:12]
    assert now == known, f"{source} has changed ({known} -> {now}): check {CONSUMER} against it"
