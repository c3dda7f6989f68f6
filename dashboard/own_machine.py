"""Names of one's own machine, where no network lies between browser and server."""

from __future__ import annotations

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def is_own_machine(host: str) -> bool:
    """Whether this name of a host always means the machine that it is used on."""
    return host in LOCAL_HOSTS or host.endswith(".localhost")
