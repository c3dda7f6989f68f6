"""How the edge and the dashboard serve: sockets of our own, and a server that lets viewers go."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence

import uvicorn
from starlette.types import ASGIApp

from headgate.streams.settings import Settings

BACKLOG = 2048
"""Connections of one socket that wait to be taken."""
KEEP_ALIVE_S = 75
STOP_WAIT_S = 3
"""How long requests in flight may take to end after SIGTERM."""

LetGo = Callable[[], Awaitable[None]]
"""Ends the connections of those who look at something live."""


def listen(settings: Settings, port: int) -> socket.socket:
    """A socket that listens there. Raises OSError."""
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    return socket.create_server((settings.http_host, port), family=family, backlog=BACKLOG)


def serve(
    app: ASGIApp,
    sockets: Sequence[socket.socket],
    let_go: LetGo,
    protocol: type[asyncio.Protocol] | str = "httptools",
) -> None:
    """Answer requests until SIGTERM or Ctrl-C; those in flight may end within STOP_WAIT_S."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_WAIT_S,
    )
    # uvicorn ends by the signal that stopped it; after an orderly stop there is nothing to kill.
    signal.signal(signal.SIGTERM, lambda *_: None)
    _Server(config, let_go).run(sockets=list(sockets))


class _Server(uvicorn.Server):
    """uvicorn waits for requests in flight; who follows something live would stay for ever."""

    def __init__(self, config: uvicorn.Config, let_go: LetGo) -> None:
        super().__init__(config)
        self._let_go = let_go

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let viewers go, then stop as ever."""
        await self._let_go()
        await super().shutdown(sockets)
