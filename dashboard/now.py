"""The screen Now: how it goes at this moment, how it went lately, and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard.fragments import Fragment
from headgate.dashboard.live import live
from headgate.dashboard.place import Place
from headgate.dashboard.pulse import Pulse, Values
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import Viewer
from headgate.streams.errors import LogUnavailable

CHANGES_MAX = 20
POINTS_MAX = 8192
"""Points whose HTML is remembered: of all those on a screen, two or three change at a time."""
DEAD = ".dead"
"""How the names of dead letters' topics end."""
_POINT = Markup(
    '<tr id="{name}-{at}" data-k="{at}" data-at="{at}" data-value="{value}">'
    '<td>{clock}</td><td class="number">{words}</td></tr>'
)


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that has a number at any time."""

    name: str
    title: str
    unit: str
    leads_to: str
    """The screen that tells more."""
    operators_only: bool = False

    def words(self, value: float | None) -> str:
        """A value as people read it."""
        if value is None:
            return "-"
        return f"{value:,.1f} {self.unit}" if value % 1 else f"{value:,.0f} {self.unit}".rstrip()


MEASURES = (
    Measure("rate", "Payments", "/s", "/payments"),
    Measure("success", "Success rate", "%", "/payments"),
    Measure("p50", "Time to settle, median", "ms", "/payments"),
    Measure("p99", "Time to settle, slowest 1 %", "ms", "/payments"),
    Measure("webhooks", "Webhooks delivered", "%", "/deliveries"),
    Measure("oldest", "Oldest undelivered", "s", "/deliveries?status=pending"),
    Measure("lag", "Records behind", "", "/log", operators_only=True),
    Measure("dead", "Dead letters kept", "", "/log", operators_only=True),
)


def measures_of(viewer: Viewer) -> list[Measure]:
    """What this person sees: how the machine does is the operators' business."""
    return [one for one in MEASURES if viewer.is_operator or not one.operators_only]


async def shown(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page."""
    del request
    measures = measures_of(viewer)
    fragments = await _fragments(place, viewer)
    by_body = {
        measure.name: [one for one in fragments if one.within == f"points-{measure.name}"]
        for measure in measures
    }
    parts = {one.id: one for one in fragments if not one.within}
    changes = [one for one in fragments if one.within == "changes"]
    return place.pages.page(
        "now.html", viewer, place=place, here="now", measures=measures, points=by_body,
        parts=parts, changes=changes,
    )  # fmt: skip


async def stream(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page, followed."""

    async def render() -> Sequence[Fragment]:
        return await _fragments(place, viewer)

    bodies = ["changes", *(f"points-{measure.name}" for measure in measures_of(viewer))]
    key = ("now", viewer.merchant_id, viewer.mode, viewer.base)
    return live(place, key, render, request, bodies)


async def _fragments(place: Place, viewer: Viewer) -> list[Fragment]:
    key = ("pulse", viewer.merchant_id, viewer.mode)
    pulse = place.hub.kept(key, lambda: Pulse(place.postgres, viewer.merchant_id, viewer.mode))
    await pulse.refresh(partial(_gauges, place, viewer))
    measures = measures_of(viewer)
    return [
        *(_value(measure, pulse) for measure in measures),
        *(one for measure in measures for one in _points(measure, pulse)),
        _begin(place, pulse),
        *await _changes(place, viewer),
    ]


async def _gauges(place: Place, viewer: Viewer) -> Values:
    """What nobody can find out later: how far readers are behind, and what no worker could take."""
    if not viewer.is_operator:
        return {}
    rows = await place.postgres.fetch("dashboard_claims")
    claims = {(row["topic"], row["partition"]): int(row["next_offset"]) for row in rows}
    try:
        behind = await place.machine.watch.behind(claims)
        extents = await place.machine.watch.extents.get()
    except LogUnavailable:
        return {"lag": None, "dead": None}
    dead = [one for (topic, _), one in extents.items() if topic.endswith(DEAD)]
    return {"lag": sum(behind.values()), "dead": sum(one.end - one.start for one in dead)}


def _value(measure: Measure, pulse: Pulse) -> Fragment:
    html = Markup('<p class="value" id="value-{}">{}</p>').format(
        measure.name, measure.words(pulse.latest(measure.name))
    )
    return Fragment(f"value-{measure.name}", html)


def _points(measure: Measure, pulse: Pulse) -> list[Fragment]:
    return [
        _point(measure, at, pulse.steps[at].get(measure.name))
        for at in sorted(pulse.steps, reverse=True)
    ]


@lru_cache(POINTS_MAX)
def _point(measure: Measure, at: int, value: float | None) -> Fragment:
    html = _POINT.format(
        name=measure.name,
        at=at,
        value="" if value is None else value,
        clock=f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}",
        words=measure.words(value),
    )
    return Fragment(f"{measure.name}-{at}", html, f"points-{measure.name}")


def _begin(place: Place, pulse: Pulse) -> Fragment:
    html = place.pages.fragment("now_begin.html", any_payment=pulse.any_payment)
    return Fragment("begin", html)


async def _changes(place: Place, viewer: Viewer) -> list[Fragment]:
    rows = await place.postgres.fetch(
        "dashboard_changes", viewer.merchant_id, viewer.mode, CHANGES_MAX
    )
    return [
        Fragment(f"change-{row['id']}", place.pages.fragment("now_change.html", row=row), "changes")
        for row in rows
    ]


NOW = Screen("now", "Now", (Path("", get=shown), Path("/now/live", get=stream)))
