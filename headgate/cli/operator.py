"""`headgate operator`: those who see everything in the dashboard."""

from __future__ import annotations

import argparse

from headgate.cli import person


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked and say what came of it."""
    return person.run(arguments, "operator")
