"""The screen Now: how it goes at this moment, how it went lately, and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard.fragments import Fragment
from headgate.dashboard.live import live
from headgate.dashboard.place import Place
from headgate.dashboard.pulse import Pulse, Values
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import Viewer

CHANGES_MAX = 20
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
)


async def shown(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page."""
    del request
    fragments = await _fragments(place, viewer)
    by_body = {
        measure.name: [one for one in fragments if one.within == f"points-{measure.name}"]
        for measure in MEASURES
    }
    parts = {one.id: one for one in fragments if not one.within}
    changes = [one for one in fragments if one.within == "changes"]
    return place.pages.page(
        "now.html", viewer, place=place, here="now", measures=MEASURES, points=by_body,
        parts=parts, changes=changes,
    )  # fmt: skip


async def stream(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page, followed."""

    async def render() -> Sequence[Fragment]:
        return await _fragments(place, viewer)

    bodies = ["changes", *(f"points-{measure.name}" for measure in MEASURES)]
    key = ("now", viewer.merchant_id, viewer.mode, viewer.base)
    return live(place, key, render, request, bodies)


async def _fragments(place: Place, viewer: Viewer) -> list[Fragment]:
    key = ("pulse", viewer.merchant_id, viewer.mode)
    pulse = place.hub.kept(key, lambda: Pulse(place.postgres, viewer.merchant_id, viewer.mode))
    await pulse.refresh(await _gauges())
    return [
        *(_value(measure, pulse) for measure in MEASURES),
        *(one for measure in MEASURES for one in _points(measure, pulse)),
        _begin(place, pulse),
        *await _changes(place, viewer),
    ]


async def _gauges() -> Values:
    """What nobody can find out later."""
    return {}


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
