"""A run's tally in the forms that others read: as JSON for tables, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headgate.replay.tally import Run, Tally


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


def summary(run: Run) -> Iterator[str]:
    """What was sent and what came of it, in lines."""
    tally = run.tally
    yield (
        f"{run.run_id}: {tally.done} steps answered in {tally.seconds:.1f} s, "
        f"{tally.rate:.0f}/s, {run.speed}, {run.sink}"
    )
    took = [f"p{each:g} {_ms(value)}" for each, value in tally.percentiles()]
    if took:
        yield f"latency    {'   '.join(took)}"
    yield from _counted("answered", {str(key): value for key, value in tally.answered.items()})
    again = {str(key) if key else "no answer": value for key, value in tally.repeated.items()}
    yield from _counted("repeated", again)
    yield from _counted("refused", tally.refused)
    yield from _counted("not sent", tally.skipped)
    yield from _counted("played as", tally.approximated)


def _counted(title: str, counts: dict[str, int]) -> Iterator[str]:
    if counts:
        parts = sorted(counts.items(), key=lambda part: -part[1])
        yield f"{title:<10} {'   '.join(f'{times} {what}' for what, times in parts)}"


def _ms(microseconds: int) -> str:
    ms = microseconds / 1000
    return f"{ms:.0f} ms" if ms >= 100 else f"{ms:.1f} ms"  # noqa: PLR2004  three digits
