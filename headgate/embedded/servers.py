"""The embedded servers alone, for tests: `python -m headgate.embedded.servers STATE_DIR PARENT`.

They run until a signal comes, or until the process PARENT is gone: then nobody is left to delete
the folder, and it goes with them. A server whose file STATE_DIR/hold/ROLE
exists stays down after it has died.
"""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from headgate.embedded import nobody, process, status
from headgate.embedded.addresses import Addresses, remembered
from headgate.embedded.kafka import Kafka
from headgate.embedded.lock import Lock
from headgate.embedded.postgres import Postgres
from headgate.embedded.program import Program
from headgate.embedded.redis import Redis
from headgate.embedded.supervisor import Plan, Supervisor, Together
from headgate.embedded.voice import Voice

STOP = (("redis", "kafka", "postgres"),)
PARENT_INTERVAL_S = 0.5


def programs(state_dir: Path, addresses: Addresses) -> dict[str, Program]:
    """The three servers by role."""
    servers = (
        Kafka(state_dir, addresses),
        Redis(state_dir, addresses),
        Postgres(state_dir, addresses),
    )
    return {program.role: program for program in (server.program() for server in servers)}


async def until(*signals: signal.Signals, ended: Callable[[], bool]) -> None:
    """Wait for one of the signals, or for the condition."""
    stop = asyncio.Event()
    for each in signals:
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    while not stop.is_set() and not ended():
        try:
            await asyncio.wait_for(stop.wait(), PARENT_INTERVAL_S)
        except TimeoutError:
            continue


async def serve(state_dir: Path, parent: int) -> int:
    """Start the servers, keep them running, stop them."""
    addresses, born = remembered(state_dir), process.born(parent)
    held = [
        dataclasses.replace(program, hold=state_dir / "hold" / program.role)
        for program in programs(state_dir, addresses).values()
    ]
    where = {"kafka": addresses.kafka, "redis": addresses.redis, "postgres": addresses.postgres}
    supervisor = Supervisor(Plan([Together(held)], STOP, where), state_dir, Voice())
    starting = asyncio.create_task(supervisor.start())
    try:
        await until(
            signal.SIGINT,
            signal.SIGTERM,
            ended=lambda: (
                not process.alive(parent, born)
                or (starting.done() and starting.exception() is not None)
            ),
        )
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await supervisor.stop()
        if not process.alive(parent, born):
            nobody.forget(state_dir)
            shutil.rmtree(state_dir, ignore_errors=True)
    return 0


def main() -> int:
    """Hold the lock of the state folder and serve."""
    state_dir, parent = Path(sys.argv[1]).absolute(), int(sys.argv[2])
    with Lock(state_dir) as lock:
        if not lock.taken():
            print(f"the servers of {state_dir} run already", file=sys.stderr)
            return 1
        status.end_leftovers(state_dir)
        return asyncio.run(serve(state_dir, parent))


if __name__ == "__main__":
    sys.exit(main())
