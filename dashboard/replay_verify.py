"""Runs of `headgate replay --verify` on the screen Replay: what they found, as a verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import structlog

from headgate.dashboard.replay_runs import Ended
from headgate.streams.errors import HeadgateError
from headgate.tables.postgres import Postgres
from headgate.tables.topic_replays import State, TopicReplays

log = structlog.get_logger(__name__)

SHOWN_MAX = 100
"""Differences that a page lists, the first; the file has more."""
_STATES: Mapping[int, State] = {0: "done", 1: "done", 130: "stopped"}
"""By the exit code of `--verify`; any other has failed."""


async def tell(postgres: Postgres, run_id: str, written: Path, ended: Ended) -> None:
    """Keep what a run found in its row, as load tests do by themselves."""
    state: State = _STATES.get(ended.code, "failed")
    counts, verdict = {}, None
    if state == "done":
        document = orjson.loads(await asyncio.to_thread(written.read_bytes))
        counts = {"planned": document["commands"], "done": document["commands"]}
        verdict = verdict_of(document)
    try:
        await TopicReplays(postgres).told(run_id, state, counts, verdict)
    except HeadgateError as away:
        log.warning("the end of a verification is not kept", run=run_id, reason=str(away))


def verdict_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The comparison in the form of a load test's verdict: a line for all of it, and one for each
    difference."""
    commands, differing = document["commands"], document["differing"]
    whole = {
        "name": "decided as recorded",
        "ok": document["same"],
        "expected": f"{commands} commands",
        "found": f"{differing} differences" if differing else f"{commands} commands",
        "meaning": _left_out(document),
    }
    return {
        "holds": document["same"],
        "lines": [whole, *(_line(one) for one in document["differences"][:SHOWN_MAX])],
    }


def _left_out(document: Mapping[str, Any]) -> str:
    """What was compared, and what could not be."""
    parts = [f"{document['payments']} payments with {document['facts']} facts"]
    if before := document["payments_begun_before"]:
        parts.append(f"{before} began before the source and are left out")
    if document["only_facts"]:
        parts.append("the source has no refusals and answers, so only facts were compared")
    return "; ".join(parts)


def _line(difference: Mapping[str, Any]) -> dict[str, Any]:
    command = difference["command"]
    place = f"{command['type']} at {command['partition']}/{command['offset']}" if command else "-"
    return {
        "name": difference["payment_id"],
        "ok": False,
        "expected": "as recorded",
        "found": difference["what"],
        "meaning": f"{place}: {difference['said']}",
    }
