"""`headgate worker`: run one of the roles settle, acquire and notify."""

from __future__ import annotations

import argparse

from headgate.agents.worker import BUILDERS
from headgate.streams import collector
from headgate.streams.engine.app import run as run_app
from headgate.streams.logging import configure
from headgate.streams.priority import step_back
from headgate.streams.settings import settings


def run(arguments: argparse.Namespace) -> int:
    """Work until told to stop. The process ends with 75 when it must start afresh and with 76
    when a newer process has its instance id."""
    configure(settings())
    if arguments.role != "settle":  # A client waits for what it decides, and for nobody else.
        step_back(settings().worker_niceness)
    collector.spare()
    run_app(BUILDERS[arguments.role](settings()))
    return 0
