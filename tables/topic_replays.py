"""Runs of `headgate replay` in PostgreSQL: told by the run, followed and stopped by others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from headgate.tables.postgres import Postgres, Row

State = Literal["running", "stopped", "done", "failed"]


@dataclass(frozen=True, slots=True)
class TopicReplay:
    """A run as it told itself last."""

    run_id: str
    started_by: str
    source: str
    options: Mapping[str, Any]
    """What the command line said, without secrets."""
    state: State
    """A run that was killed stays `running`: look at `updated_at`, which moves every second."""
    progress: Mapping[str, Any]
    """Counts: `planned`, `sent`, `done`, `accepted`, `rate_per_s`, `behind_s`, `answered` by
    status, `repeated` by status, `refused`, `skipped`, `latency_us` by percentile."""
    verdict: Mapping[str, Any] | None
    stop_requested: bool
    began_at: datetime
    updated_at: datetime


class TopicReplays:
    """Methods raise StoreUnavailable."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def begun(
        self, run_id: str, started_by: str, source: str, options: Mapping[str, Any]
    ) -> None:
        """A sitting of the run begins; a stop that was asked for before is forgotten."""
        said = orjson.dumps(dict(options)).decode()
        await self._postgres.fetch("topic_replay_begun", run_id, started_by, source, said)

    async def told(
        self,
        run_id: str,
        state: State,
        progress: Mapping[str, Any],
        verdict: Mapping[str, Any] | None = None,
    ) -> bool:
        """How far it is; whether somebody wants it to stop. A verdict stands once it is there."""
        counts = orjson.dumps(dict(progress)).decode()
        judged = None if verdict is None else orjson.dumps(dict(verdict)).decode()
        row = await self._postgres.fetch_row("topic_replay_told", run_id, state, counts, judged)
        return bool(row and row["stop_requested"])

    async def stop(self, run_id: str) -> bool:
        """Ask the run to stop, which it does within a second; False when it does not run."""
        return bool(await self._postgres.fetch("topic_replay_stop", run_id))

    async def find(self, run_id: str) -> TopicReplay | None:
        """One run."""
        row = await self._postgres.fetch_row("topic_replay", run_id)
        return _of(row) if row else None

    async def newest(self, most: int) -> Sequence[TopicReplay]:
        """The newest runs, at most so many."""
        return [_of(row) for row in await self._postgres.fetch("topic_replays", most)]


def _of(row: Row) -> TopicReplay:
    said = dict(row)
    for name in ("options", "progress", "verdict"):
        said[name] = orjson.loads(said[name]) if said[name] is not None else None
    return TopicReplay(**said)
