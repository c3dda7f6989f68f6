"""The way around Redis and its journal: no key that took it is forgotten (08 R13)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from headgate.http.cache import Argument, Cache, Reply, Script
from headgate.http.detour import Detour
from headgate.http.journal import Journal
from headgate.streams.errors import CacheUnavailable
from headgate.streams.settings import Settings


class FakeCache(Cache):
    """A Redis that is away until told otherwise, and remembers what it was told."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.away = False
        self.told: list[str] = []
        self.tokens: list[str] = []

    async def ping(self) -> None:
        """Answer, unless away."""
        if self.away:
            raise CacheUnavailable("away")

    async def run(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> list[Reply]:
        """Remember the claims and the token, unless away."""
        del script
        await self.ping()
        self.told += keys[1:]
        self.tokens += [str(arguments[1])] if arguments[1] else []
        return []


def files(folder: Path) -> list[Path]:
    """What is in a folder."""
    return list(folder.iterdir())


def dead_pid() -> int:
    """The id of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


async def back(detour: Detour) -> None:
    """Wait until Redis is in use."""
    async with asyncio.timeout(5):
        while not detour.available:  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(0.005)


async def test_redis_is_used_again_only_when_it_knows_every_key(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, handoff_batch_max=2)
    cache = FakeCache(settings)
    detour = Detour(settings, cache)
    await detour.start(1)
    await back(detour)
    cache.away = True
    detour.take("test")
    for name in ("pay_1", "pay_2", "pay_3", "pay_1"):
        detour.remember(name)
    assert not detour.available
    assert cache.told == []
    cache.away = False
    await back(detour)
    assert sorted(cache.told) == ["claim:pay_1", "claim:pay_2", "claim:pay_3"]
    assert cache.tokens == []
    assert files(tmp_path) == []
    await detour.stop()


async def test_too_many_keys_make_redis_vouch_for_nothing(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, outbox_entries_max=2)
    cache = FakeCache(settings)
    cache.away = True
    detour = Detour(settings, cache)
    await detour.start(0.01)
    for number in range(4):
        detour.remember(f"pay_{number}")
    cache.away = False
    await back(detour)
    assert len(cache.tokens) == 1
    await detour.stop()


async def test_a_successor_takes_over_what_a_dead_process_left(tmp_path: Path) -> None:
    dead = tmp_path / f"around-redis-headgate-{dead_pid()}"
    dead.write_text("pay_1\npay_2\npay_torn")
    mine = tmp_path / f"around-redis-headgate-{os.getpid()}"
    mine.write_text("pay_3\n")
    alive = tmp_path / f"around-redis-headgate-{os.getppid()}"
    alive.write_text("pay_4\n")
    settings = Settings(state_dir=tmp_path)
    cache = FakeCache(settings)
    detour = Detour(settings, cache)
    await detour.start(1)
    await back(detour)
    assert sorted(cache.told) == ["claim:pay_1", "claim:pay_2", "claim:pay_3"]
    assert files(tmp_path) == [alive]
    await detour.stop()


def test_what_was_taken_over_is_written_down_again(tmp_path: Path) -> None:
    (tmp_path / f"around-redis-s-{dead_pid()}").write_text("pay_1\n")
    first = Journal(tmp_path, "s")
    assert first.left_behind() == ["pay_1"]
    first.close()
    assert Journal(tmp_path, "s").left_behind() == ["pay_1"], "we died in between"
