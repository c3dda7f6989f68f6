"""The environment that our own processes get from `up`, and that other verbs find it by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from headgate.embedded import status
from headgate.embedded.addresses import Addresses, known

NO_LIMITS = {
    f"HEADGATE_{name}": "0"
    for name in (
        "WRITES_PER_S_LIVE",
        "WRITES_PER_S_TEST",
        "READS_PER_S_LIVE",
        "READS_PER_S_TEST",
        "PAYMENT_WRITES_PER_MIN",
        "WRONG_KEYS_PER_MIN",
    )
}
"""On one's own machine there are no rate limits unless one sets them (08 R19)."""
LOCAL_DEFAULTS = {
    "TEST_MODE": "true",
    "TEST_PROCESSING_DELAY": "0",
    "HEADGATE_WEBHOOK_ALLOW_LOOPBACK": "true",
    "HEADGATE_WORKER_NICENESS": "10",
    "HEADGATE_DEMO_PAGES": "true",
    **NO_LIMITS,
}
"""What makes a first try on one's own machine pleasant; whatever the user sets wins."""
SERVERS = {
    "kafka": "HEADGATE_KAFKA",
    "redis": "HEADGATE_REDIS",
    "postgres": "HEADGATE_POSTGRES",
}
"""The variable that names a server of the user's own, by role."""


def of_roles(
    state_dir: Path, addresses: Addresses, environment: Mapping[str, str]
) -> dict[str, str]:
    """What the edge and the workers get: the user's environment, and what it does not say."""
    defaults = {
        "HEADGATE_KAFKA": addresses.kafka,
        "HEADGATE_REDIS": addresses.redis,
        "HEADGATE_POSTGRES": addresses.postgres,
        "HEADGATE_SECRET_KEY": addresses.secret_key,
        "PYTHONUNBUFFERED": "1",
        **LOCAL_DEFAULTS,
    }
    chosen = {name: value for name, value in defaults.items() if not _said(name, environment)}
    return {**environment, **chosen, "HEADGATE_STATE_DIR": str(state_dir)}


def _said(name: str, environment: Mapping[str, str]) -> bool:
    """Whether the user has set a variable; the seed's names have a second, longer form."""
    return bool(environment.get(name)) or f"HEADGATE_{name}" in environment


def embedded(environment: Mapping[str, str]) -> set[str]:
    """The servers that the user has not named and that we bring along, by role."""
    return {role for role, name in SERVERS.items() if not environment.get(name)}


def of_running(state_dir: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Where the servers of a running `up` are, for a verb in another terminal.

    Empty when nothing runs here; what the user has set is left out.
    """
    running, addresses = status.read(state_dir), known(state_dir)
    if running is None or addresses is None or not running.is_up():
        return {}
    found = {name: running.addresses.get(role, "") for role, name in SERVERS.items()}
    found["HEADGATE_SECRET_KEY"] = addresses.secret_key
    return {name: value for name, value in found.items() if value and not environment.get(name)}
