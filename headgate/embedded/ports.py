"""Which ports are free, and who sits on those that are not."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from pathlib import Path

PORTS = range(20_000, 32_000)
"""Where ports are drawn from: below what operating systems hand out to outgoing connections,
so that no client can sit on a server's port while that server is restarted."""
LISTEN = "0A"
"""The state of a listening socket in /proc/net/tcp."""


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on this port now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return False
        return True


def free() -> Iterator[int]:
    """Ports on loopback that nobody listens on, in random order."""
    return (port for port in random.sample(PORTS, len(PORTS)) if is_free(port))


def holder(port: int) -> str:
    """Who listens on a port, as far as this user may see; for people."""
    inodes = _listening(port)
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if descriptor.readlink().name in inodes:
                process = descriptor.parents[1]
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:  # It ended, or it is not ours to look into.
            continue
    return "another process"


def _listening(port: int) -> set[str]:
    """The sockets that listen on a port, by the names that /proc/PID/fd gives them."""
    found = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        lines = table.read_text().splitlines()[1:] if table.exists() else []
        for fields in map(str.split, lines):
            if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found
