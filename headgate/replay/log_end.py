"""Whether settle has read everything that was on the log when it was asked."""

from __future__ import annotations

import asyncio
import time

from headgate.replay.checks import Check
from headgate.streams.errors import LogUnavailable
from headgate.streams.log_reader import LogReader
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables.postgres import Postgres

LOOK_EVERY_S = 0.2


async def caught_up(postgres: Postgres, settings: Settings, within_s: float) -> Check:
    """Wait, for `within_s` seconds at most, until settle has decided all commands that the log
    holds now: before that, nothing can be said about what they changed. Raises StoreUnavailable."""
    name, meaning = "log = decided", "settle has read every command that is on the log"
    try:
        ends = await _ends(settings)
    except LogUnavailable as error:
        return Check(name, None, "every command", "not asked", str(error))
    end = time.monotonic() + within_s
    while True:
        rows = await postgres.fetch("claimed", PAYMENT_COMMANDS.name, list(ends))
        decided = {row["partition"]: row["next_offset"] for row in rows}
        left = sum(max(0, ends[part] - decided.get(part, 0)) for part in ends)
        if left == 0 or time.monotonic() > end:
            return Check(name, left == 0, sum(ends.values()), sum(ends.values()) - left, meaning)
        await asyncio.sleep(LOOK_EVERY_S)


async def _ends(settings: Settings) -> dict[int, int]:
    """Where each partition of the commands ends."""
    reader, topic = LogReader(settings), PAYMENT_COMMANDS.full_name(settings)
    try:
        return {part: one.end for (_, part), one in (await reader.extents([topic])).items()}
    finally:
        await reader.close()
