"""The screen Log: topics, how far their readers are behind, and what waits for its time; live."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard.hub import Fragment
from headgate.dashboard.live import live
from headgate.dashboard.log_watch import reader_rows
from headgate.dashboard.place import Place
from headgate.dashboard.rates import per_second
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import Viewer
from headgate.streams.clock import from_ms
from headgate.streams.topics import DAY_MS, FOREVER, Topic

SECONDS_MAX = 120
"""A wait that is longer is told in minutes, and so on."""


async def listed(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page."""
    del request
    regions = await _regions(place)
    return place.pages.page("log.html", viewer, place=place, here="log", regions=regions)


async def stream(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page's tables, followed."""
    del viewer

    async def render() -> list[Fragment]:
        return await _regions(place)

    return live(place, ("log",), render, request)


async def _regions(place: Place) -> list[Fragment]:
    machine, pages = place.machine, place.pages
    claims = await place.postgres.fetch("dashboard_claims")
    positions = {(row["topic"], row["partition"]): row["next_offset"] for row in claims}
    machine.claimed.note(time.monotonic(), positions)
    topics = await machine.watch.topics()
    readers = reader_rows(claims, await machine.watch.behind(positions), machine.claimed)
    delays = await machine.watch.delays.get()
    words = {"per_second": per_second, "size": size, "kept": kept, "span": span, "from_ms": from_ms}
    partitions = place.settings.partitions
    return [
        Fragment(
            name, pages.fragment(f"log_{name}.html", rows=rows, partitions=partitions, **words)
        )
        for name, rows in (("topics", topics), ("readers", readers), ("delays", delays))
    ]


def size(count: int) -> str:
    """Bytes for people: `512 B`, `3.4 kB`, `12 MB`; decimal units."""
    number, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if number < 1000:  # noqa: PLR2004  a thousand of one is one of the next
            break
        number, unit = number / 1000, larger
    return f"{number:.1f} {unit}" if unit != "B" and number < 10 else f"{number:.0f} {unit}"  # noqa: PLR2004


def kept(topic: Topic) -> str:
    """How long a topic keeps its records."""
    if topic.compacted:
        return "latest per key"
    return "for ever" if topic.retention_ms == FOREVER else f"{topic.retention_ms / DAY_MS:.0f} d"


def span(milliseconds: int) -> str:
    """A length of time for people: `0.4 s`, `17 s`, `5 min`, `3 h`, `2 d`."""
    seconds = milliseconds / 1000
    for most, length, unit in ((1, 1, "s"), (SECONDS_MAX, 1, "s"), (7200, 60, "min")):
        if seconds < most:
            return f"{seconds / length:.{1 if most == 1 else 0}f} {unit}"
    return f"{seconds / 3600:.0f} h" if seconds < 2 * 86_400 else f"{seconds / 86_400:.0f} d"


LOG = Screen(
    "log",
    "Log",
    (
        Path("/log", get=listed, operators_only=True),
        Path("/log/live", get=stream, operators_only=True),
    ),
)
