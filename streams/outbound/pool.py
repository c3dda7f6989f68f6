"""Idle connections to receivers, kept for the next webhook and bounded in number and time."""

from __future__ import annotations

import asyncio

from headgate.streams.outbound.connection import Connection, Key


class IdleConnections:
    """A stack per key, the freshest on top, so that the rest can grow old and be closed."""

    def __init__(self, *, idle_s: float, per_key_max: int, total_max: int) -> None:
        self._idle_s = idle_s
        self._per_key_max = per_key_max
        self._total_max = total_max
        self._by_key: dict[Key, list[Connection]] = {}
        self._since: dict[Connection, float] = {}  # in order of going idle: the oldest is first
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._since)

    def take(self, key: Key) -> Connection | None:
        """The connection that was used last, or None when none is open and young enough."""
        stack = self._by_key.get(key)
        while stack:
            connection = stack.pop()
            since = self._since.pop(connection)
            if connection.is_open:
                if asyncio.get_running_loop().time() - since < self._idle_s:
                    return connection
                connection.abort()
        return None

    def put(self, connection: Connection) -> None:
        """Keep a connection whose answer was read to its end, or close it when there are enough."""
        stack = self._by_key.setdefault(connection.key, [])
        if self._closed or len(stack) >= self._per_key_max:
            connection.abort()
            return
        if len(self._since) >= self._total_max:
            next(iter(self._since)).abort()
        loop = asyncio.get_running_loop()
        stack.append(connection)
        self._since[connection] = loop.time()
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._idle_s / 4, self._sweep)

    def forget(self, connection: Connection) -> None:
        """A connection was lost, idle or not."""
        stack = self._by_key.get(connection.key, [])
        if self._since.pop(connection, None) is not None:
            stack.remove(connection)
        if not stack:
            self._by_key.pop(connection.key, None)

    def close(self) -> None:
        """Close what is idle, and keep nothing from now on."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._since):
            connection.abort()

    def _sweep(self) -> None:
        """Close what has been idle for too long; each ends in `forget`."""
        loop = asyncio.get_running_loop()
        oldest_allowed = loop.time() - self._idle_s
        for connection, since in self._since.items():
            if since > oldest_allowed:
                break
            connection.abort()
        self._sweeper = loop.call_later(self._idle_s / 4, self._sweep) if self._since else None
