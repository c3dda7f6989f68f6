"""The screen Replay: past webhooks sent again, as jobs that can be watched, paused and ended; for
operators beside them load tests (`topic_replay.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard import topic_replay
from headgate.dashboard.acting import Acting
from headgate.dashboard.answers import done, missing, refused
from headgate.dashboard.app import form_of
from headgate.dashboard.fragments import Fragment
from headgate.dashboard.live import live
from headgate.dashboard.place import Place
from headgate.dashboard.replay_wish import PACES, SHAPES
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.settings_actions import number
from headgate.dashboard.viewer import Viewer
from headgate.streams import ids
from headgate.streams.clock import from_ms, now_ms
from headgate.tables.postgres import Row
from headgate.tables.replays import Which

REPLAYS_MAX = 50
"""Replays on one page."""
ENDPOINTS_MAX = 200
"""Endpoints that the form offers; a merchant has far fewer in one mode."""
CHANGES = {
    "pause": ("POST", "/pause", "It is paused; what was sent goes on by its schedule."),
    "resume": ("POST", "/resume", "It goes on."),
    "cancel": ("DELETE", "", "It is canceled; what was sent goes on by its schedule."),
}
"""Method, end of the path, and what is said when it was done."""


async def listed(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page."""
    given = request.query_params.get("endpoint", "")
    endpoints = await place.postgres.fetch(
        "dashboard_replay_endpoints", *_whose(viewer), None, ENDPOINTS_MAX
    )
    return place.pages.page(
        "replays.html",
        viewer,
        place=place,
        here="replay",
        parts=await _rows(place, viewer),
        endpoints=endpoints,
        chosen=given,
        which=get_args(Which),
        yesterday=f"{from_ms(now_ms()).astimezone(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M}",
        once=ids.draw_key(),
        **_load_tests(place, viewer),
    )


async def stream(place: Place, request: Request, viewer: Viewer) -> Response:
    """The replays, followed."""

    async def render() -> list[Fragment]:
        return await _rows(place, viewer)

    key = ("replay", *_whose(viewer), viewer.base, viewer.may_write)
    return live(place, key, render, request, ("replays", topic_replay.BODY))


def _load_tests(place: Place, viewer: Viewer) -> dict[str, Any]:
    """What the form of load tests offers; nothing to whom there are none."""
    if not topic_replay.is_offered(viewer):
        return {"load_tests": False}
    captures = [path.name for path in place.runs.captures()]
    return {"load_tests": True, "captures": captures, "paces": PACES, "shapes": SHAPES}


async def create(place: Place, request: Request, viewer: Viewer) -> Response:
    """Begin a replay, or its dry run. The form's `once` makes a repeat find the same replay."""
    form = form_of(request)
    rows = await place.postgres.fetch(
        "dashboard_replay_endpoints", *_whose(viewer), form.get("endpoint", ""), 1
    )
    if not rows:
        return missing(place, viewer, "endpoint")
    acting = Acting(place, viewer, rows[0]["merchant_id"], rows[0]["mode"], "webhooks:write")
    answered = await acting.ask("POST", "/webhook_replays", wanted(form), form.get("once"))
    if not answered.ok:
        return refused(place, request, viewer, answered)
    return done(request, viewer, "The replay has begun.", "/replay")


def wanted(form: Mapping[str, str]) -> dict[str, Any]:
    """The replay of a form, as the REST surface takes it; it says what is wrong with it."""
    given = {name: text.strip() for name, text in form.items() if text.strip()}
    body: dict[str, Any] = {
        "endpoint_id": given.get("endpoint", ""),
        "only": given.get("only", "failed"),
        "dry_run": given.get("dry_run") == "on",
    }
    body |= {name: f"{given[name]}Z" for name in ("from", "to") if name in given}
    types = [word.strip() for word in given.get("types", "").split(",") if word.strip()]
    if types:
        body["types"] = types
    if "rate_per_s" in given:
        body["rate_per_s"] = number(given["rate_per_s"])
    return body


async def change(place: Place, request: Request, viewer: Viewer) -> Response:
    """Pause, resume or cancel: the name of the button says which, its value whose."""
    form = form_of(request)
    asked = next((name for name in CHANGES if name in form), "")
    row = await place.postgres.fetch_row("dashboard_replay", *_whose(viewer), form.get(asked, ""))
    if row is None:
        return missing(place, viewer, "replay")
    method, end, text = CHANGES[asked]
    acting = Acting(place, viewer, row["merchant_id"], row["mode"], "webhooks:write")
    answered = await acting.ask(method, f"/webhook_replays/{row['id']}{end}")
    if not answered.ok:
        return refused(place, request, viewer, answered)
    return done(request, viewer, text, "/replay")


def _whose(viewer: Viewer) -> tuple[str | None, str]:
    return (viewer.merchant_id, viewer.mode)


async def _rows(place: Place, viewer: Viewer) -> list[Fragment]:
    rows: Sequence[Row] = await place.postgres.fetch(
        "dashboard_replays", *_whose(viewer), REPLAYS_MAX
    )
    fragment = place.pages.fragment
    shown = [
        Fragment(row["id"], fragment("replays_row.html", row=row, viewer=viewer), "replays")
        for row in rows
    ]
    nothing = f'<p id="no-replays" class="empty"{" hidden" if rows else ""}>No replay yet.</p>'
    tests = await topic_replay.rows(place, viewer) if topic_replay.is_offered(viewer) else []
    return [*tests, *shown, Fragment("no-replays", nothing)]


REPLAY = Screen(
    "replay",
    "Replay",
    (
        Path("/replay", get=listed),
        Path("/replay/live", get=stream),
        Path("/replay/create", post=create),
        Path("/replay/change", post=change),
        *topic_replay.PATHS,
    ),
)
