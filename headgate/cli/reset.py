"""`headgate reset`: delete the data of the embedded servers, after asking."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from headgate.embedded import nobody, status
from headgate.embedded.lock import Lock
from headgate.streams.settings import Settings

OURS = (
    "addresses.json", "configuration-*.json", "faust", "hold", "kafka", "logs", "postgres",
    "redis", "status.json",
)  # fmt: skip
"""What we put into the state folder; nothing else in it is touched."""


def run(arguments: argparse.Namespace) -> int:
    """Delete payments, log, passwords and logs of this state folder."""
    state_dir = Settings().state_dir.absolute()
    with Lock(state_dir) as lock:
        if not lock.taken():
            print("Headgate runs: stop it first, with `headgate down` or Ctrl-C", file=sys.stderr)
            return 1
        if not arguments.yes and not _agreed(state_dir):
            print("nothing was deleted")
            return 1
        status.end_leftovers(state_dir)
        _delete(state_dir)
    print(f"deleted all data in {state_dir}")
    return 0


def _agreed(state_dir: Path) -> bool:
    try:
        answer = input(f"Delete all data in {state_dir} ? [y/N] ")
    except EOFError:
        print()
        return False
    return answer.strip().lower() in {"y", "yes"}


def _delete(state_dir: Path) -> None:
    for found in [path for pattern in OURS for path in state_dir.glob(pattern)]:
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found)
        else:
            found.unlink()
    nobody.forget(state_dir)
