"""The way to the log: what an entry stands behind goes before it, whatever fails (08 R14)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from headgate.http.cache import Cache
from headgate.http.claims import Before, Claims
from headgate.http.detour import Detour
from headgate.http.sending import Sending
from headgate.http.submission import Key, Submission
from headgate.streams.bus import Bus, Position, Record
from headgate.streams.errors import LogUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ConfigurationCopy
from headgate.tables.postgres import Postgres


class FakeBus(Bus):
    """A log that fails when told to, and takes its time when told to."""

    def __init__(self) -> None:
        super().__init__("nowhere:1", timeout_ms=100)
        self.away = False
        self.fails = 0
        self.sent: list[bytes] = []
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def available(self) -> bool:
        """Whether it is not away."""
        return not self.away

    async def publish(self, records: Sequence[Record]) -> list[Position]:
        """Append them, when the gate is open and no failure is due."""
        await self.gate.wait()
        if self.fails:
            self.fails -= 1
            raise LogUnavailable("no ack")
        self.sent += [record.key for record in records]
        return [Position("t", 0, len(self.sent)) for _ in records]


class FakeClaims(Claims):
    """An outbox of names."""

    def __init__(self, settings: Settings) -> None:
        cache = Cache(settings)
        copy = ConfigurationCopy(settings, Postgres(settings))
        super().__init__(settings, cache, Detour(settings, cache), copy)
        self.entries: set[str] = set()

    async def holds(self, command_id: str) -> bool:
        """Whether it is there."""
        return command_id in self.entries


class Stage:
    """One process on its way to the log."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(state_dir=folder)
        self.bus, self.claims = FakeBus(), FakeClaims(settings)
        self.sending = Sending(settings, self.bus, self.claims, "me")
        self.last: Before | None = None

    def send(self, name: str, wait_s: float = 5) -> asyncio.Task[str | None]:
        """Enter the outbox behind the last entry, and go."""
        before, self.last = self.last, Before(name, self.claims.owner)
        self.claims.entries.add(name)
        submission = Submission(
            command_id=name,
            payment_id="pay",
            type="payment.capture",
            request_id="req",
            key=Key("k", True, "pay"),
            fingerprint="f",
            record=Record("t", 0, name.encode(), b"{}"),
        )
        deadline = time.monotonic() + wait_s
        return asyncio.create_task(self.sending.in_turn(submission, before, deadline))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A log that works."""
    return Stage(tmp_path)


async def test_entries_of_one_process_follow_at_once(stage: Stage) -> None:
    stage.bus.gate.clear()
    sent = [stage.send(f"c{n}") for n in range(5)]
    await asyncio.sleep(0)
    stage.bus.gate.set()
    assert all(await asyncio.gather(*sent))
    assert stage.bus.sent == [b"c0", b"c1", b"c2", b"c3", b"c4"]


async def test_nothing_overtakes_what_failed(stage: Stage) -> None:
    stage.bus.gate.clear()
    first = stage.send("create")
    await asyncio.sleep(0.01)  # On its way now; what follows is the next batch.
    second = stage.send("capture")
    stage.bus.fails = 1
    stage.bus.gate.set()
    assert list(await asyncio.gather(first, second)) == [None, None]
    late = stage.send("refund", wait_s=0.05)
    assert await late is None, "its turn does not come while the capture waits"
    assert stage.bus.sent == []


async def test_a_turn_comes_when_the_entry_before_is_gone(stage: Stage) -> None:
    stage.bus.away = True
    assert await stage.send("create") is None
    stage.bus.away = False
    capture, refund = stage.send("capture"), stage.send("refund")
    await asyncio.sleep(0.03)
    assert stage.bus.sent == []
    stage.claims.entries.discard("create")
    async with asyncio.timeout(5):
        assert await capture
        stage.claims.entries.discard("capture")
        assert await refund
    assert stage.bus.sent == [b"capture", b"refund"]


async def test_an_entry_of_another_process_is_waited_for(stage: Stage) -> None:
    stage.last = Before("theirs", "them:1")
    stage.claims.entries.add("theirs")
    assert await stage.send("mine", wait_s=0.03) is None
    stage.claims.entries.clear()
    stage.last = Before("theirs", "them:1")
    assert await stage.send("mine")
