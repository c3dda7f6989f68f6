"""What the command line shows in columns."""

from __future__ import annotations

from collections.abc import Sequence


def show_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print the rows under their head, each column as wide as its longest cell."""
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    for row in (head, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())
