"""`headgate topics`: declare the topics, or check that the cluster has them as declared."""

from __future__ import annotations

import argparse
import asyncio

from headgate.streams.declare import check, declare
from headgate.streams.settings import Settings, settings
from headgate.streams.topics import FOREVER, all_topics


def run(arguments: argparse.Namespace) -> int:
    """Create what is missing, or with `--check` only say what differs (exit code 1)."""
    if arguments.check:
        problems = asyncio.run(check(settings()))
        for problem in problems:
            print(problem)
        if not problems:
            print("all topics are as declared")
        return 1 if problems else 0
    for name in asyncio.run(declare(settings())):
        print(f"created {name}")
    _show(settings())
    return 0


def _show(here: Settings) -> None:
    for topic in all_topics(here):
        days = topic.retention_ms / 86_400_000
        kept = "for ever" if topic.retention_ms == FOREVER else f"{days:.0f} d"
        if topic.compacted:
            kept = "latest per key"
        print(f"{topic.full_name(here):45} {topic.key:12} kept {kept:15} {topic.purpose}")
