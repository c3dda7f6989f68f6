"""`headgate dashboard`: run the dashboard alone, on a port of its own, beside a running edge."""

from __future__ import annotations

import argparse
import signal
import socket
import sys

import uvicorn

from headgate.cli.edge import BACKLOG, KEEP_ALIVE_S, STOP_WAIT_S
from headgate.cli.serving import alone
from headgate.dashboard.place import Place
from headgate.streams.logging import configure
from headgate.streams.settings import Settings, settings


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C; 1 when the address cannot be listened on."""
    del arguments
    current = settings()
    configure(current)
    app, place = alone(current)
    try:
        listening = _listen(current)
    except OSError as error:
        print(
            f"headgate dashboard: {current.http_host}:{current.dashboard_port} cannot be listened "
            f"on: {error.strerror}. Stop what runs there, or set HEADGATE_DASHBOARD_PORT to "
            "another port.",
            file=sys.stderr,
        )
        return 1
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
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
        DashboardServer(config, place).run(sockets=[listening])
    return 0


class DashboardServer(uvicorn.Server):
    """uvicorn waits for requests in flight; who looks at something live would stay for ever."""

    def __init__(self, config: uvicorn.Config, place: Place) -> None:
        super().__init__(config)
        self._place = place

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let viewers go, then stop as ever."""
        await self._place.hub.close()
        await super().shutdown(sockets)


def _listen(current: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in current.http_host else socket.AF_INET
    address = (current.http_host, current.dashboard_port)
    return socket.create_server(address, family=family, backlog=BACKLOG)
