"""What workers tell Prometheus, and the port on which they do it."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from headgate.agents.lanes import Lanes
from headgate.agents.webhook_metrics import WebhookCollector, WebhookMetrics
from headgate.agents.worker import BUILDERS
from headgate.embedded.ports import free
from headgate.streams.engine.app import create_app
from headgate.streams.engine.metrics import Progress, WorkerCollector
from headgate.streams.engine.metrics_port import (
    CONNECTIONS_MAX,
    PORT_OF_ROLE,
    REQUEST_BYTES_MAX,
    MetricsPort,
)
from headgate.streams.settings import Settings
from tests.unit.test_operational_events import AT_MS, endpoint, made


class FakeWorker:
    """A worker that is behind and waits."""

    waiting_for: str | None = "Kafka does not answer"

    def progress(self) -> Mapping[str, Progress]:
        return {"payments.facts": Progress(done=7, partitions=8, behind=3)}


class FakePump:
    """A pump with a record that is late, and one that is early."""

    held = 5
    head_overdue_ms: Mapping[str, int] = {"1s": 1500, "5s": -300}


class FakeReplays:
    """Replays that have counted more than they have sent."""

    counted = 9
    sent = 6


def text(registry: CollectorRegistry) -> list[str]:
    return generate_latest(registry).decode().splitlines()


def test_a_worker_tells_what_it_did_how_far_behind_it_is_and_whether_it_waits() -> None:
    registry = CollectorRegistry()
    registry.register(WorkerCollector(FakeWorker()))
    assert {
        'headgate_worker_records_total{topic="payments.facts"} 7.0',
        'headgate_worker_partitions{topic="payments.facts"} 8.0',
        'headgate_worker_behind_records{topic="payments.facts"} 3.0',
        "headgate_worker_waits 1.0",
    } <= set(text(registry))


async def test_lanes_and_delays_are_read_when_asked() -> None:
    lanes = Lanes(Settings(webhook_breaker_failures_max=1))
    for name in ("ep_1", "ep_2"):
        place = await lanes.enter(endpoint(name), "dlv_1")
        assert not isinstance(place, str)
        if name == "ep_1":
            lanes.leave(place, "failed")
    registry = CollectorRegistry()
    registry.register(WebhookCollector(lanes, lambda: 4, FakePump, FakeReplays()))
    assert {
        "headgate_webhook_lanes 2.0",
        "headgate_webhook_lanes_open 1.0",
        "headgate_webhook_in_flight 1.0",
        "headgate_webhook_waiting 0.0",
        "headgate_webhook_held_total 4.0",
        'headgate_delay_head_overdue_seconds{tier="1s"} 1.5',
        'headgate_delay_head_overdue_seconds{tier="5s"} 0.0',
        "headgate_delay_records 5.0",
        "headgate_webhook_replay_counted_total 9.0",
        "headgate_webhook_replay_sent_total 6.0",
    } <= set(text(registry))


def test_before_the_pump_runs_nothing_is_said_of_delays() -> None:
    registry, lanes = CollectorRegistry(), Lanes(Settings())
    registry.register(WebhookCollector(lanes, lambda: 0, lambda: None, FakeReplays()))
    assert not [line for line in text(registry) if line.startswith("headgate_delay_")]


def test_attempts_count_by_kind_and_deliveries_by_how_long_they_took() -> None:
    registry = CollectorRegistry()
    WebhookMetrics(registry).saw(
        [
            made(duration_ms=20),
            made(kind="success", duration_ms=20, created_at_ms=AT_MS - 30_000),
            made(kind="success", created_at_ms=AT_MS - 10**9, replay_id="rpl_1"),
        ]
    )
    lines = text(registry)
    assert 'headgate_webhook_attempt_seconds_count{kind="failed"} 1.0' in lines
    assert 'headgate_webhook_attempt_seconds_count{kind="success"} 2.0' in lines
    assert "headgate_webhook_delivery_seconds_count 1.0" in lines
    assert 'headgate_webhook_delivery_seconds_bucket{le="15.0"} 0.0' in lines
    assert 'headgate_webhook_delivery_seconds_bucket{le="60.0"} 1.0' in lines


@pytest.mark.parametrize("role", BUILDERS)
def test_every_role_has_metrics_and_a_port_of_its_own(role: str) -> None:
    app = BUILDERS[role](Settings(secret_key=base64.b64encode(bytes(32)).decode()))
    assert app.role == role
    assert MetricsPort(Settings(), role, CollectorRegistry()).port == 0
    settings = Settings(worker_metrics_port=9464)
    assert MetricsPort(settings, role, CollectorRegistry()).port == 9464 + PORT_OF_ROLE[role]


def test_create_app_knows_its_role() -> None:
    assert create_app("notify", Settings()).role == "notify"


@asynccontextmanager
async def listening(port: int) -> AsyncIterator[None]:
    """A port of metrics, while it answers."""
    registry = CollectorRegistry()
    registry.register(WorkerCollector(FakeWorker()))
    settings = Settings(worker_metrics_port=port, retry_backoff_ms=1, retry_backoff_max_ms=5)
    task = asyncio.create_task(MetricsPort(settings, "settle", registry).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def asked(port: int, request: bytes) -> bytes:
    """The whole answer, after waiting until somebody listens."""
    while True:
        with suppress(ConnectionRefusedError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        await asyncio.sleep(0.005)
    writer.write(request)
    with suppress(ConnectionResetError):
        answer = await reader.read()
        writer.close()
        return answer
    return b""


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /metrics HTTP/1.1", b"200 OK"),
        (b"GET /metrics?name=x HTTP/1.0", b"200 OK"),
        (b"HEAD /metrics HTTP/1.1", b"200 OK"),
        (b"POST /metrics HTTP/1.1", b"405 Method Not Allowed"),
        (b"GET / HTTP/1.1", b"404 Not Found"),
        (b"\x16\x03\x01", b"404 Not Found"),
    ],
)
async def test_the_port_answers_one_question(request_line: bytes, status: bytes) -> None:
    port = next(free())
    async with listening(port):
        answer = await asked(port, request_line + b"\r\nHost: x\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    wanted = status == b"200 OK" and not request_line.startswith(b"HEAD")
    assert (b"headgate_worker_waits 1.0" in body) == wanted


async def test_a_request_without_end_is_cut_off_and_the_next_is_answered() -> None:
    port = next(free())
    async with listening(port):
        assert await asked(port, b"GET /metrics HTTP/1.1\r\n" + b"x" * 4 * REQUEST_BYTES_MAX) == b""
        assert b"200 OK" in await asked(port, b"GET /metrics HTTP/1.1\r\n\r\n")


async def test_those_who_connect_and_say_nothing_take_a_bounded_number_of_places() -> None:
    port = next(free())
    async with listening(port):
        assert b"200 OK" in await asked(port, b"GET /metrics HTTP/1.1\r\n\r\n")
        silent = [
            await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_MAX + 1)
        ]
        done, _ = await asyncio.wait(
            [asyncio.create_task(reader.read()) for reader, _ in silent],
            return_when=asyncio.FIRST_COMPLETED,
        )
        assert [task.result() for task in done] == [b""]
        for _, writer in silent:
            writer.close()


async def test_a_port_that_is_taken_is_taken_over_when_it_is_free() -> None:
    port = next(free())
    holder = socket.create_server(("127.0.0.1", port))
    async with listening(port):
        await asyncio.sleep(0)
        holder.close()
        assert b"200 OK" in await asked(port, b"GET /metrics HTTP/1.1\r\n\r\n")
