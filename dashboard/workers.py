"""The screen Workers: who works on what, how fast, since when, and what is wrong; live."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard.hub import Fragment
from headgate.dashboard.live import live
from headgate.dashboard.place import Place
from headgate.dashboard.rates import Rates, per_second
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import Viewer
from headgate.tables.postgres import Row

SILENT_S = 6
"""After this long without a heartbeat a worker counts as gone, as in `/health/ready`."""
FORGOTTEN_S = 7 * 86_400
"""Workers that have been silent for longer are not shown: their slots are history."""


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One worker as it is shown."""

    id: str
    role: str
    where: str
    version: str
    state: str
    problem: str
    starts: int
    since: datetime
    partitions: Sequence[str]
    """By topic, such as `payments.commands 0-3`."""
    rate: str
    """Records a second, over the last ten seconds."""
    taken_at: datetime | None
    """When partitions were last given to it: its start, or a rebalance."""
    times_taken: int
    """How often the partition of it that moved most was given to a worker."""


async def listed(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page."""
    del request
    region = await _table(place)
    return place.pages.page("workers.html", viewer, place=place, here="workers", region=region)


async def stream(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page's table, followed."""
    del viewer

    async def render() -> list[Fragment]:
        return [await _table(place)]

    return live(place, ("workers",), render, request)


async def _table(place: Place) -> Fragment:
    claims = await place.postgres.fetch("dashboard_claims")
    place.machine.claimed.note(
        time.monotonic(), {(row["topic"], row["partition"]): row["next_offset"] for row in claims}
    )
    workers = await place.postgres.fetch("dashboard_workers")
    rows = rows_of(workers, claims, place.machine.claimed)
    return Fragment("workers", place.pages.fragment("workers_table.html", rows=rows))


def rows_of(workers: Sequence[Row], claims: Sequence[Row], claimed: Rates) -> list[WorkerRow]:
    """The workers by role and id, without those long gone."""
    owned: dict[str, list[Row]] = {}
    for claim in claims:
        owned.setdefault(claim["owner"], []).append(claim)
    return [
        _row(worker, owned.get(f"{worker['id']}#{worker['incarnation']}", ()), claimed)
        for worker in workers
        if worker["silent_s"] <= FORGOTTEN_S
    ]


def _row(worker: Row, owned: Sequence[Row], claimed: Rates) -> WorkerRow:
    gone = worker["silent_s"] > SILENT_S
    problem = worker["problem"] or ""
    rates = [claimed.per_s((claim["topic"], claim["partition"])) for claim in owned]
    known = [rate for rate in rates if rate is not None]
    told: Mapping[str, Sequence[int]] = {} if gone else orjson.loads(worker["partitions"])
    return WorkerRow(
        id=worker["id"],
        role=worker["role"],
        where=f"{worker['host']}, pid {worker['pid']}",
        version=worker["version"] or "not told",
        state="silent" if gone else "waits" if problem else "running",
        problem=silence(worker["silent_s"]) if gone else problem,
        starts=worker["incarnation"],
        since=worker["started_at"],
        partitions=[f"{topic} {ranges(parts)}" for topic, parts in sorted(told.items()) if parts],
        rate=per_second(sum(known)) if known and not gone else "-",
        taken_at=max((claim["taken_at"] for claim in owned), default=None),
        times_taken=max((claim["times_taken"] for claim in owned), default=0),
    )


def ranges(numbers: Sequence[int]) -> str:
    """`0-3, 6` for 0, 1, 2, 3 and 6."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def silence(seconds: float) -> str:
    """For how long nothing was heard, in the largest unit that it fills: so a live page does not
    change with every second of it."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"no heartbeat for {seconds // size:.0f} {unit}"
    return f"no heartbeat for {seconds:.0f} s"


WORKERS = Screen(
    "workers",
    "Workers",
    (
        Path("/workers", get=listed, operators_only=True),
        Path("/workers/live", get=stream, operators_only=True),
    ),
)
