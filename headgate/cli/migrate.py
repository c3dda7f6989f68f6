"""`headgate migrate`: bring the PostgreSQL schema up to date."""

from __future__ import annotations

import argparse
import asyncio

from headgate.streams.settings import settings
from headgate.tables.migrate import migrate


def run(arguments: argparse.Namespace) -> int:
    """Apply what is missing and say what it was."""
    del arguments
    applied = asyncio.run(migrate(settings()))
    for name in applied:
        print(f"applied {name}")
    print(f"schema {settings().schema_name} is up to date")
    return 0
