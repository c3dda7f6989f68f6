"""How each process of a running `up` is, asked from outside in its own protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

from pydantic import BaseModel

from headgate.embedded import edge, kafka, postgres, process, redis
from headgate.embedded.environment import SERVERS
from headgate.embedded.status import ProcessStatus, Status
from headgate.streams.errors import HeadgateError
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres

HEARTBEATS_WAIT_S = 3.0
SILENT_BEATS_MAX = 5
"""A worker that has missed so many heartbeats is not fine."""


class Beat(BaseModel):
    """The last heartbeat of a worker."""

    at: datetime
    silent_s: float
    problem: str | None


class ProcessHealth(BaseModel):
    """One process as `headgate status` shows it."""

    role: str
    pid: int | None
    port: int | None
    instance_id: str
    since: str
    restarts: int
    health: str
    """`ok`, `starting`, `down`, `unwell` or `left`."""
    detail: str


async def probe_all(addresses: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with the edge and each server, nothing where all is fine. At most 3 s."""
    probes = {
        "kafka": kafka.probe,
        "redis": redis.probe,
        "postgres": postgres.probe,
        "edge": _probe_edge,
    }
    asked = [role for role in probes if role in addresses]
    answers = await asyncio.gather(*(probes[role](addresses[role]) for role in asked))
    return dict(zip(asked, answers, strict=True))


async def _probe_edge(url: str) -> str:
    parts = urlsplit(url)
    return await edge.probe(parts.hostname or "", parts.port or 80, "/health/live")


async def beats(settings: Settings) -> dict[str, Beat]:
    """The last heartbeat of every worker by instance id; empty while PostgreSQL cannot tell."""
    store = Postgres(settings)
    try:
        rows = await asyncio.wait_for(store.fetch("instances"), HEARTBEATS_WAIT_S)
    except (HeadgateError, TimeoutError):
        return {}
    finally:
        await store.close()
    return {
        row["id"]: Beat(at=row["beat_at"], silent_s=row["silent_s"], problem=row["problem"])
        for row in rows
    }


async def of_processes(running: Status, settings: Settings) -> list[ProcessHealth]:
    """Every process with its health."""
    wrong, heard = await asyncio.gather(probe_all(running.addresses), beats(settings))
    silent_max_s = SILENT_BEATS_MAX * settings.heartbeat_interval_ms / 1000
    return [_of(each, wrong, heard, silent_max_s) for each in running.processes]


def _of(
    each: ProcessStatus, wrong: Mapping[str, str], heard: Mapping[str, Beat], silent_max_s: float
) -> ProcessHealth:
    health, detail = _judged(each, wrong, heard.get(each.instance_id), silent_max_s)
    return ProcessHealth(
        role=each.role,
        pid=each.pid,
        port=each.port,
        instance_id=each.instance_id,
        since=each.since.isoformat(timespec="seconds") if each.since else "",
        restarts=each.restarts,
        health=health,
        detail=detail,
    )


def _judged(
    each: ProcessStatus, wrong: Mapping[str, str], beat: Beat | None, silent_max_s: float
) -> tuple[str, str]:
    """Health and detail of one process."""
    if each.state == "left":
        return "left", "a newer process has its instance id"
    if each.pid is None or not process.alive(each.pid, each.born):
        return "down", "is started again" if each.state == "waiting" else each.state
    if each.role in wrong:
        trouble = wrong[each.role]
        unwell = "starting" if each.state == "starting" else "unwell"
        return (unwell, trouble) if trouble else ("ok", "")
    return _worker(each, beat, silent_max_s)


def _worker(each: ProcessStatus, beat: Beat | None, silent_max_s: float) -> tuple[str, str]:
    if beat is None or (each.since is not None and beat.at < each.since):
        return "starting", "no heartbeat yet"
    if beat.problem:
        return "unwell", beat.problem
    if beat.silent_s > silent_max_s:
        return "unwell", f"no heartbeat for {beat.silent_s:.0f} s"
    return "ok", ""


def server_settings(running: Status, settings: Settings) -> Settings:
    """The settings with the servers that a running `up` uses."""
    found = {role: running.addresses[role] for role in SERVERS if role in running.addresses}
    return settings.model_copy(update=found)
