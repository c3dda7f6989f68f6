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
    except OSError as error:
        print(
            f"headgate edge: {current.http_host}:{current.http_port} cannot be listened on: "
            f"{error.strerror}. Stop what runs there, or set HEADGATE_HTTP_PORT to another port.",
            file=sys.stderr,
        )
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
    with listening:
        EdgeServer(config, app).run(sockets=[listening])
    return 0


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


def _listen(current: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in current.http_host else socket.AF_INET
    return socket.create_server(
        (current.http_host, current.http_port), family=family, backlog=BACKLOG
    )
