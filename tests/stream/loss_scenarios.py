"""The misfortunes of 03 §2.1, each played once on stock Faust and once on ours."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tests.stream.broker import PRODUCE
from tests.stream.stage import Run, Stage

NOT_AUTHORIZED = 29
INPUTS = 10
STOCK, OURS = "stock", "ours"
VALUES = [f"v{number}" for number in range(INPUTS)]

Scenario = Callable[[Stage, str], Coroutine[Any, Any, Run]]


async def start(stage: Stage, engine: str, misfortune: str, topic: str, **order: Any) -> Run:
    """Start a worker that will meet the misfortune."""
    return await stage.worker(
        "loss_worker.py", topic, engine=engine, misfortune=misfortune, **order
    )


def an_agent_meets(misfortune: str) -> Scenario:
    """The bad record raises: ours ends the process, stock goes on."""

    async def scenario(stage: Stage, engine: str) -> Run:
        run = await start(stage, engine, misfortune, await stage.fill(VALUES))
        ends = engine == OURS or misfortune == "crash"
        if ends:
            await run.until(lambda: run.code is not None)
        else:
            await run.until_committed(INPUTS)
        await run.stop(signal.SIGKILL)
        await run.look()
        return run

    return scenario


async def the_first_is_slow(stage: Stage, engine: str) -> Run:
    """L6."""
    run = await start(stage, engine, "first_is_slow", await stage.fill(VALUES))
    await run.until(lambda: len(run.done) == INPUTS - 1)
    if engine == STOCK:
        await run.until_committed(INPUTS)
    # Ours commits once more when it stops, so nothing is left to wait for.
    await run.stop(signal.SIGKILL if engine == STOCK else signal.SIGTERM)
    await run.look()
    return run


def told_to_stop(misfortune: str) -> Scenario:
    """L7, L8."""

    async def scenario(stage: Stage, engine: str) -> Run:
        run = await start(stage, engine, misfortune, await stage.fill(VALUES))
        await run.until(lambda: "got v3" in run.lines)
        await run.stop(signal.SIGTERM, patience_s=4.0)
        await run.look()
        return run

    return scenario


async def told_to_stop_while_joining(stage: Stage, engine: str) -> Run:
    """L20: the group still waits for a member that died."""
    topic = await stage.fill(VALUES)
    dead = await start(stage, engine, "none", topic)
    await dead.until(lambda: len(dead.done) == INPUTS)
    await dead.stop(signal.SIGKILL)
    run = await start(stage, engine, "joining", topic)
    await run.until(lambda: "joining" in run.lines)
    await run.stop(signal.SIGTERM, patience_s=4.0)
    await run.look()
    return run


async def outputs_are_refused(stage: Stage, engine: str) -> Run:
    """L9, L12."""
    topic, outputs = await stage.fill(VALUES), stage.broker.topic()
    stage.broker.do("errors", api=PRODUCE, codes=[NOT_AUTHORIZED] * 3)
    run = await start(stage, engine, "send", topic, outputs=outputs)
    await run.until_committed(INPUTS)
    await run.stop(signal.SIGTERM)
    await run.look()
    run.outputs = await stage.broker.values(outputs)
    return run


async def the_changelog_is_refused(stage: Stage, engine: str) -> Run:
    """L13."""
    topic = await stage.fill(VALUES)
    group = topic.replace("-", "_")
    changelog = f"{group}.headgate-settle-state-changelog"
    stage.broker.do("topic", name=changelog, partitions=1)
    stage.broker.do("errors", api=PRODUCE, codes=[NOT_AUTHORIZED] * 3)
    run = await start(stage, engine, "remember", topic, group=group)
    await run.until_committed(INPUTS)
    await run.stop(signal.SIGTERM)
    await run.look()
    run.outputs = await stage.broker.values(changelog)
    return run


async def the_broker_is_slow(stage: Stage, engine: str) -> Run:
    """L14: killed in mid-work; what is committed must be in the changelog."""
    topic = await stage.fill([f"v{number}" for number in range(300)])
    group = topic.replace("-", "_")
    changelog = f"{group}.headgate-settle-state-changelog"
    stage.broker.do("topic", name=changelog, partitions=1)
    stage.broker.do("round_trip", milliseconds=150)
    run = await start(stage, engine, "remember", topic, group=group)
    await run.until_committed(250 if engine == STOCK else 1)
    await run.stop(signal.SIGKILL)
    stage.broker.do("round_trip", milliseconds=0)
    await run.look()
    run.outputs = await stage.broker.values(changelog)
    return run


POISONED = ["0", "bad", "2", "worse", "4"]


async def some_cannot_be_decoded(stage: Stage, engine: str) -> Run:
    """L16."""
    run = await start(stage, engine, "undecodable", await stage.fill(POISONED))
    await run.until_committed(len(POISONED))
    await run.stop(signal.SIGTERM)
    await run.look()
    return run


async def the_web_server(stage: Stage, engine: str) -> Run:
    """L18."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = await start(stage, engine, "web", await stage.fill(VALUES), port=port)
    await run.until(lambda: len(run.done) == INPUTS)
    run.listening = listening(run.process.pid)
    await run.stop(signal.SIGTERM)
    await run.look()
    return run


def listening(pid: int) -> list[str]:
    """The addresses, in hexadecimal, that a process accepts connections on."""
    sockets = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir()}
    found = []
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[3] == "0A" and f"socket:[{columns[9]}]" in sockets:
            found.append(columns[1].split(":")[0])
    return found


SHARED: dict[str, Scenario] = {
    "raise": an_agent_meets("raise"),
    "crash": an_agent_meets("crash"),
    "raise_unacknowledged": an_agent_meets("raise_unacknowledged"),
    "raise_in_batch": an_agent_meets("raise_in_batch"),
    "raise_in_unacknowledged_batch": an_agent_meets("raise_in_unacknowledged_batch"),
    "first_is_slow": the_first_is_slow,
    "stopped": told_to_stop("stopped"),
    "endless": told_to_stop("endless"),
    "joining": told_to_stop_while_joining,
    "undecodable": some_cannot_be_decoded,
    "web": the_web_server,
}
ALONE: dict[str, Scenario] = {
    "send": outputs_are_refused,
    "changelog": the_changelog_is_refused,
    "slow": the_broker_is_slow,
}
"""Scenarios with injected errors, each on a broker of its own."""
