"""`headgate edge`: run the REST API."""

from __future__ import annotations

import argparse
import signal
import socket
import sys

import uvicorn

from headgate.cli.serving import Front, whole
from headgate.http.protocol import protocol_of
from headgate.streams import collector
from headgate.streams.logging import configure
from headgate.streams.settings import Settings, settings

BACKLOG = 2048
KEEP_ALIVE_S = 75
WITHOUT = "leave it out of HEADGATE_HTTP_MORE_PORTS"
STOP_WAIT_S = 3
"""How long requests in flight may take to end after SIGTERM."""


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C; 1 when the address cannot be listened on."""
    del arguments
    current = settings()
    configure(current)
    app = whole(current)
    try:
        listening = _listen(current)
    except CannotListen as error:
        print(f"headgate edge: {error}", file=sys.stderr)
        return 1
    collector.spare()
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=protocol_of(current),
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
    EdgeServer(config, app).run(sockets=listening)
    return 0


class CannotListen(Exception):
    """A port is taken, or not ours to take. The message says which, and what to do."""


class EdgeServer(uvicorn.Server):
    """uvicorn waits for requests in flight; who follows events would stay for ever."""

    def __init__(self, config: uvicorn.Config, front: Front) -> None:
        super().__init__(config)
        self._front = front

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let viewers go, then stop as ever."""
        self._front.edge.state.services.events.tip.close()
        await self._front.place.hub.close()
        await super().shutdown(sockets)


def _listen(current: Settings) -> list[socket.socket]:
    """A socket for every port, which uvicorn closes. Raises CannotListen, with none left open."""
    family = socket.AF_INET6 if ":" in current.http_host else socket.AF_INET
    opened: list[socket.socket] = []
    for port in current.http_ports:
        try:
            address = (current.http_host, port)
            opened.append(socket.create_server(address, family=family, backlog=BACKLOG))
        except OSError as error:
            for each in opened:
                each.close()
            raise CannotListen(_taken(current, port, error)) from error
    return opened


def _taken(current: Settings, port: int, error: OSError) -> str:
    main = port == current.http_port
    return (
        f"{current.http_host}:{port} cannot be listened on: {error.strerror}. Stop what runs there,"
        + (" or set HEADGATE_HTTP_PORT to another port." if main else f" or {WITHOUT}.")
    )
