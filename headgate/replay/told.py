"""A run's tally as others read it while it runs: JSON for its row and the dashboard."""

from __future__ import annotations

from typing import Any

from headgate.replay.tally import Tally


def progress_of(tally: Tally) -> dict[str, Any]:
    """For the run's row, for `--json` and for the dashboard."""
    return {
        "planned": tally.planned,
        "sent": tally.sent,
        "done": tally.done,
        "accepted": len(tally.accepted),
        "children": len(tally.children),
        "in_flight": tally.in_flight,
        "rate_per_s": round(tally.rate, 1),
        "seconds": round(tally.seconds, 3),
        "behind_s": round(tally.behind_s, 3),
        "answered": {str(status): times for status, times in sorted(tally.answered.items())},
        "repeated": {str(status): times for status, times in sorted(tally.repeated.items())},
        "refused": dict(tally.refused.most_common()),
        "skipped": dict(tally.skipped.most_common()),
        "approximated": dict(tally.approximated.most_common()),
        "latency_us": {f"p{each:g}": value for each, value in tally.percentiles()},
    }
