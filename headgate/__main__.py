"""The `headgate` command."""

from __future__ import annotations


def main() -> int:
    """Placeholder until the command line is built."""
    return 0
