"""What a run came to: for people on a terminal, for machines as JSON, and as one page of HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from headgate.replay.charts import Chart, Line
from headgate.replay.checks import Check, Verdict
from headgate.replay.progress import Series
from headgate.replay.tally import Run, Tally
from headgate.streams.clock import iso

DOCUMENT_VERSION = 1
"""Of the JSON: members are added under the same number; whatever else changes raises it."""
TEMPLATE = Path(__file__).with_name("report.html")
PERCENTILES = (50.0, 90.0, 99.0, 99.9, 100.0)
_MARKS: Mapping[bool | None, str] = {True: "ok", False: "WRONG", None: "not asked"}


def latencies(tally: Tally) -> dict[str, float]:
    """Milliseconds by percentile, `max` for the last; empty before anything was answered."""
    if not tally.latencies.get_total_count():
        return {}
    found = tally.latencies.get_percentile_to_value_dict(list(PERCENTILES))
    return {_percentile(each): found[each] / 1000 for each in PERCENTILES}


def _percentile(each: float) -> str:
    return "max" if each == PERCENTILES[-1] else f"p{each:g}"


def document(run: Run, series: Series, verdict: Verdict | None) -> dict[str, Any]:
    """All of it, for machines: the JSON of `--json`. A run that was cut off has no verdict."""
    tally, sandbox = run.tally, run.sandbox
    return {
        "replay": DOCUMENT_VERSION,
        "headgate": version("headgate"),
        "run": {
            "id": run.run_id,
            "source": run.source,
            "sink": run.sink,
            "speed": run.speed,
            "same_ids": run.same_ids,
            "namespace": run.namespace,
            "merchant_id": sandbox.merchant_id if sandbox else None,
            "endpoint_id": sandbox.endpoint_id if sandbox else None,
            "began_at": iso(round(tally.began_at.timestamp() * 1000)),
            "ended_at": iso(round(tally.ended_at.timestamp() * 1000)) if tally.ended_at else None,
            "seconds": round(tally.seconds, 3),
        },
        "load": {
            "planned": tally.planned,
            "sent": tally.sent,
            "answered": tally.done,
            "per_s": round(tally.rate, 2),
            "accepted_payments": len(tally.accepted),
            "accepted_children": len(tally.children),
            "by_status": {str(status): n for status, n in sorted(tally.answered.items())},
            "repeated": {str(status): n for status, n in sorted(tally.repeated.items())},
            "refused": dict(tally.refused.most_common()),
            "skipped": dict(tally.skipped.most_common()),
            "approximated": dict(tally.approximated.most_common()),
        },
        "latency_ms": latencies(tally),
        "verdict": verdict.document() if verdict else None,
        "series": [asdict(point) for point in series.points],
    }


def summary(run: Run, verdict: Verdict | None) -> str:
    """All of it that fits a terminal; without a verdict, of a run that was cut off."""
    tally = run.tally
    lines = [f"replay {run.run_id} of {run.source} to {run.sink}, {run.speed}"]
    lines.append(
        f"  {tally.sent:,} steps in {tally.seconds:.1f} s, {tally.rate:,.0f}/s; "
        f"{len(tally.accepted):,} payments and {len(tally.children):,} of their parts accepted"
    )
    told = "  ".join(f"{name} {ms:,.1f} ms" for name, ms in latencies(tally).items())
    lines.append(f"  latency   {told or 'nothing was answered'}")
    lines += [
        f"  {name:9} {_counted(counts)}" for name, counts in _outcomes(tally).items() if counts
    ]
    if verdict is not None:
        lines += ["", *(text for line in verdict.lines for text in _told(line))]
        lines += ["", f"verdict: {'it adds up' if verdict.holds else 'it does NOT add up'}"]
    return "\n".join(lines)


def _counted(counts: Mapping[str, int]) -> str:
    return "  ".join(f"{name}: {n:,}" for name, n in counts.items())


def _told(line: Check) -> list[str]:
    number = f" {line.invariant}" if line.invariant else ""
    head = f"  {_MARKS[line.ok]:9} {line.name}{number}: {_shown(line.expected)}"
    if line.expected != line.found:
        head += f" expected, {_shown(line.found)} found"
    # What holds needs no words; what does not gets all of them.
    told = line.examples if line.ok is not True or line.expected != line.found else ()
    meaning = [] if line.ok else [f"            {line.meaning}"]
    return [head, *meaning, *(f"            {example}" for example in told)]


def _shown(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def _outcomes(tally: Tally) -> dict[str, dict[str, int]]:
    """What came of the steps, by kind: status, code, and why some were not sent as recorded."""
    statuses = {str(status or "no answer"): n for status, n in sorted(tally.answered.items())}
    again = {str(status or "no answer"): n for status, n in sorted(tally.repeated.items())}
    return {
        "answered": statuses,
        "refused": dict(tally.refused.most_common()),
        "repeated": again,
        "skipped": dict(tally.skipped.most_common()),
        "otherwise": dict(tally.approximated.most_common()),
    }


def page(run: Run, series: Series, verdict: Verdict | None) -> str:
    """All of it as one self-contained page: no script, nothing from elsewhere, day and night."""
    tally = run.tally
    return _template().render(
        run=run,
        tally=tally,
        word=_word(verdict),
        holds=verdict is not None and verdict.holds,
        lines=verdict.lines if verdict else (),
        latencies=latencies(tally),
        outcomes={name: counts for name, counts in _outcomes(tally).items() if counts},
        charts=charts(series),
        points=series.points,
        began_at=iso(round(tally.began_at.timestamp() * 1000)),
        version=version("headgate"),
    )


def _word(verdict: Verdict | None) -> str:
    if verdict is None:
        return "It was cut off, and not judged."
    return "It adds up." if verdict.holds else "It does not add up."


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["shown"] = _shown
    return environment.from_string(TEMPLATE.read_text())


def charts(series: Series) -> Sequence[Chart]:
    """The run over time."""
    points = series.points
    seconds = [point.at_s for point in points]
    rates = [(point.sent / point.span_s, point.answered / point.span_s) for point in points]
    return [
        Chart("Steps per second", "steps/s", seconds, [
            Line("sent", [sent for sent, _ in rates], "a"),
            Line("answered", [answered for _, answered in rates], "b"),
        ]),
        Chart("Latency", "ms", seconds, [
            Line("p50", [point.p50_us / 1000 for point in points], "a"),
            Line("p99", [point.p99_us / 1000 for point in points], "b"),
            Line("max", [point.max_us / 1000 for point in points], "c"),
        ], logarithmic=True),
        Chart("Still to come", "payments or webhooks", seconds, [
            Line("to decide", [point.deciding for point in points], "a"),
            Line("webhooks", [point.undelivered for point in points], "b"),
        ]),
        Chart("Behind the plan", "s", seconds, [
            Line("behind", [point.behind_s for point in points], "a"),
        ]),
    ]  # fmt: skip
