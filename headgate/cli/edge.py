"""`headgate edge`: run the REST API."""

from __future__ import annotations

import argparse
import socket
import sys

from headgate.cli.listening import listen, serve
from headgate.cli.serving import whole
from headgate.http.protocol import protocol_of
from headgate.streams import collector
from headgate.streams.logging import configure
from headgate.streams.settings import Settings, settings

WITHOUT = "leave it out of HEADGATE_HTTP_MORE_PORTS"


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C; 1 when the address cannot be listened on."""
    del arguments
    current = settings()
    configure(current)
    front = whole(current)
    try:
        listening = _listen(current)
    except CannotListen as error:
        print(f"headgate edge: {error}", file=sys.stderr)
        return 1
    collector.spare()
    serve(front, listening, front.let_go, protocol_of(current))
    return 0


class CannotListen(Exception):
    """A port is taken, or not ours to take. The message says which, and what to do."""


def _listen(current: Settings) -> list[socket.socket]:
    """A socket for every port, which uvicorn closes. Raises CannotListen, with none left open."""
    opened: list[socket.socket] = []
    for port in current.http_ports:
        try:
            opened.append(listen(current, port))
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
