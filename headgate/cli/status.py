"""`headgate status`: every process of a running `up`, how it is, and where clients reach what."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence

from headgate.embedded import health, status
from headgate.embedded.health import ProcessHealth
from headgate.streams.settings import Settings

COLUMNS = ("ROLE", "PID", "PORT", "INSTANCE", "SINCE", "RESTARTS", "HEALTH")


def run(arguments: argparse.Namespace) -> int:
    """Show it. Exit code 0: all is well; 1: something is not, or nothing runs."""
    settings = Settings()
    running = status.read(settings.state_dir.absolute())
    if running is None or not running.is_up():
        nothing: dict[str, object] = {
            "up": False,
            "pid": None,
            "since": None,
            "addresses": {},
            "processes": [],
        }
        print(json.dumps(nothing) if arguments.json else "Headgate does not run: `headgate up`")
        return 1
    here = health.server_settings(running, settings)
    processes = asyncio.run(health.of_processes(running, here))
    if arguments.json:
        print(json.dumps(_document(running, processes), indent=2))
    else:
        _show(running, processes)
    return 0 if all(each.health == "ok" for each in processes) else 1


def _document(running: status.Status, processes: Sequence[ProcessHealth]) -> dict[str, object]:
    return {
        "up": True,
        "pid": running.pid,
        "since": running.since.isoformat(timespec="seconds"),
        "phase": running.phase,
        "addresses": running.addresses,
        "processes": [each.model_dump() for each in processes],
    }


def _show(running: status.Status, processes: Sequence[ProcessHealth]) -> None:
    since = f"{running.since.astimezone():%Y-%m-%d %H:%M:%S}"
    print(f"Headgate is {running.phase}, pid {running.pid}, since {since}\n")
    rows = [COLUMNS, *map(_row, processes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
    print()
    for name, address in running.addresses.items():
        print(f"{name:9} {address}")


def _row(each: ProcessHealth) -> tuple[str, ...]:
    return (
        each.role,
        str(each.pid or "-"),
        str(each.port or "-"),
        each.instance_id or "-",
        each.since.replace("T", " ").removesuffix("+00:00") or "-",
        str(each.restarts),
        f"{each.health}: {each.detail}" if each.detail else each.health,
    )
