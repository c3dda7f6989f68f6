"""`headgate dashboard`: run the dashboard alone, on a port of its own, beside a running edge."""

from __future__ import annotations

import argparse
import sys

from headgate.cli.listening import listen, serve
from headgate.cli.serving import alone
from headgate.http.protocol import protocol_of
from headgate.streams.logging import configure
from headgate.streams.settings import settings


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C; 1 when the address cannot be listened on."""
    del arguments
    current = settings()
    configure(current)
    app, place = alone(current)
    try:
        listening = listen(current, current.dashboard_port)
    except OSError as error:
        print(
            f"headgate dashboard: {current.http_host}:{current.dashboard_port} cannot be listened "
            f"on: {error.strerror}. Stop what runs there, or set HEADGATE_DASHBOARD_PORT to "
            "another port.",
            file=sys.stderr,
        )
        return 1
    with listening:
        serve(app, [listening], place.hub.close, protocol_of(current))
    return 0
