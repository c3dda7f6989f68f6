"""`headgate down`: stop an `up` that runs elsewhere."""

from __future__ import annotations

import argparse
import signal
import time

from headgate.embedded import process, status
from headgate.streams.settings import Settings

STOP_WAIT_S = 20.0


def run(arguments: argparse.Namespace) -> int:
    """Ask it to stop, and wait until it has."""
    del arguments
    state_dir = Settings().state_dir.absolute()
    running = status.read(state_dir)
    if running is None or not running.is_up():
        left = status.end_leftovers(state_dir)
        status.remove(state_dir)
        print(f"ended what a killed `up` had left: {', '.join(left)}" if left else "nothing runs")
        return 0
    process.send(running.pid, signal.SIGTERM)
    began = time.monotonic()
    if not process.gone(running.pid, running.born, STOP_WAIT_S):
        print(f"pid {running.pid} has not stopped within {STOP_WAIT_S:g} s; see its log")
        return 1
    print(f"stopped after {time.monotonic() - began:.1f} s; the data is kept")
    return 0
