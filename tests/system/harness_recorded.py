"""A whole system, what it was asked once, in a file, and replays of that."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.system import walkable_folder
from tests.system.harness_replay import (
    REPLAY_WITHIN_S,
    Said,
    captured,
    headgate,
    make_mixed,
    start,
    target,
)
from tests.system.harness_whole import Whole, whole


@dataclass(frozen=True)
class Recorded:
    """A running system, and mixed payments that were made there."""

    subject: Whole
    file: Path
    payments: int
    commands: int

    async def replay(self, *words: str, within_s: float = REPLAY_WITHIN_S) -> Said:
        """Replay the file."""
        command = ("replay", str(self.file), *words, *target(self.subject))
        return await headgate(self.subject, *command, within_s=within_s)

    async def same_ids(self, sink: str, within_s: float = REPLAY_WITHIN_S) -> Said:
        """Send the very same again, as fast as it goes."""
        pair = self.pair if sink == "rest" else ()
        words = ("--same-ids", "--as-fast", "--sink", sink, *pair)
        return await self.replay(*words, within_s=within_s)

    async def started(self, run_id: str, *words: str) -> asyncio.subprocess.Process:
        """Begin a replay of this name."""
        named = (*words, "--run-id", run_id, *target(self.subject))
        return await start(self.subject, "replay", str(self.file), *named)

    async def started_again(self, run_id: str) -> asyncio.subprocess.Process:
        """Begin to go on with it."""
        return await start(self.subject, "replay", "--resume", run_id)

    async def resumed(self, run_id: str, within_s: float = REPLAY_WITHIN_S) -> Said:
        """Go on with it."""
        return await headgate(self.subject, "replay", "--resume", run_id, within_s=within_s)

    async def row(self, run_id: str) -> dict[str, Any]:
        """The run's own row."""
        said = "select * from replays_of_topics where run_id = $1"
        [row] = await self.subject.place.rows(said, run_id)
        return dict(row)

    async def progress(self, run_id: str) -> dict[str, Any]:
        """What it counted."""
        counted: dict[str, Any] = json.loads((await self.row(run_id))["progress"])
        return counted

    async def check_whole(self, run_id: str) -> None:
        """Every step was answered, every payment accepted, and the verdict holds."""
        row, progress = await self.row(run_id), await self.progress(run_id)
        assert row["state"] == "done"
        assert json.loads(row["verdict"])["holds"] is True
        assert progress["planned"] == progress["done"] == self.commands
        assert progress["accepted"] == self.payments

    @property
    def pair(self) -> tuple[str, ...]:
        """The options that name the merchant who was recorded."""
        headers = self.subject.merchant.headers
        return ("--key", headers["X-Api-Key"], "--secret", headers["X-Api-Secret"])


@asynccontextmanager
async def recording(payments: int) -> AsyncIterator[Recorded]:
    """So many mixed payments, made and captured, in a system of their own."""
    async with whole() as subject:
        shop = await make_mixed(subject, payments)
        await subject.until_well()
        folder = walkable_folder()
        try:
            file = await captured(subject, folder)
            yield Recorded(subject, file, payments, shop.commands)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
