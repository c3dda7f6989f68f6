"""Python's cycle collector, told what a busy process of ours is like."""

from __future__ import annotations

import gc

COLLECT_AFTER = 50_000
"""New objects before the collector looks at them."""


def spare() -> None:
    """Look for cycles rarely, and never among what was imported. A busy worker makes hundreds of
    thousands of objects a second that die by themselves; with the defaults a fifth of its time
    went into looking at them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)
