"""`headgate worker`: run one of the roles settle, acquire and notify."""

from __future__ import annotations

import argparse
import os

from headgate.agents.worker import BUILDERS
from headgate.streams import collector
from headgate.streams.engine.app import run as run_app
from headgate.streams.logging import configure
from headgate.streams.settings import settings


def run(arguments: argparse.Namespace) -> int:
    """Work until told to stop. The process ends with 75 when it must start afresh and with 76
    when a newer process has its instance id."""
    configure(settings())
    os.nice(settings().worker_niceness)
    collector.spare()
    run_app(BUILDERS[arguments.role](settings()))
    return 0
